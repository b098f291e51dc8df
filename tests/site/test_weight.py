"""The weight of a page."""

import pytest
from reader import CHAPTERS

KILOBYTES, REQUESTS = 230, 40  # of a first load, without figures


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_first_load_is_light(visitor, name):
    reader = visitor()
    sizes = {}

    def weigh(response):
        length = int(response.headers.get("content-length", 0))
        sizes[response.url] = 0 if "/_images/" in response.url else length

    reader.context.on("response", weigh)
    reader.open(name).wait_for_load_state("networkidle")
    heaviest = sorted(((size, url) for url, size in sizes.items()), reverse=True)[:6]
    assert sum(sizes.values()) <= KILOBYTES * 1000, (sum(sizes.values()), heaviest)
    assert len(sizes) <= REQUESTS, sorted(sizes)
