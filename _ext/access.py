"""Access: what the theme lacks for screen readers, for the keyboard, and without JavaScript."""

NEED_SCRIPTS = (
    "//button[contains(@class, 'sidebar-toggle') or contains(@class, 'btn-fullscreen-button')"
    " or contains(@class, 'dropdown-toggle')]"
)


def touch(page):
    for button in page.find("//button[contains(@class, 'search-button-field')][@aria-label]"):
        del button.attrib["aria-label"]  # what it shows is its name
    for sidebar in page.find("//*[@id='pst-primary-sidebar']"):
        sidebar.set("role", "complementary")  # the book's mark stands in it, beside the contents
        sidebar.set("aria-label", "Book · 本书")
    for corner in page.find("//article//th[not(normalize-space())]"):
        corner.tag = "td"  # a heading of nothing
    for button in page.find(NEED_SCRIPTS):
        button.set("class", f"{button.get('class')} pst-js-only")
    page.tree.set("data-theme", "light")  # view.js knows better
