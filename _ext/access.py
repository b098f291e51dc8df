"""Accessibility: what the theme's pages lack for readers with a screen reader or a keyboard."""


def touch(page):
    for button in page.find("//button[contains(@class, 'search-button-field')][@aria-label]"):
        del button.attrib["aria-label"]  # what it shows is its name
    for sidebar in page.find("//*[@id='pst-primary-sidebar']"):
        sidebar.set("role", "complementary")  # the book's mark stands in it, beside the contents
        sidebar.set("aria-label", "Book · 本书")
    for corner in page.find("//article//th[not(normalize-space())]"):
        corner.tag = "td"  # a heading of nothing
