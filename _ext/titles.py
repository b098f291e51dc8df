"""A title that changed stands in the sidebar of each page: all pages are written anew."""


def pages_to_write(app, env):
    titles = {name: title.astext() for name, title in env.titles.items()}
    before = getattr(env, "titles_in_sidebars", titles)
    env.titles_in_sidebars = titles  # stored with the environment
    return [] if titles == before else [*titles]


def setup(app):
    app.connect("env-updated", pages_to_write)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
