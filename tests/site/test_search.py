"""Search finds what a reader of these chapters would look for, and opens it where it stands.

The list says what the chapters are about; it was made from their contents, not from what is found.
"""

from urllib.parse import urljoin

import pytest
from reader import VIEW
from test_site import ADDRESS

GRU, LSTM, DEEP, BOTH_WAYS = (
    f"chapters/{name}" for name in ("gru", "lstm", "deep", "bidirectional")
)
CONFORMANCE, DIFFERENCES = "chapters/conformance", "chapters/differences"
FINDS = {
    # whole terms
    "reset gate": {GRU},
    "update gate": {GRU},
    "forget gate": {LSTM},
    "memory cell": {LSTM},
    "constant error carousel": {LSTM},
    "half-life": {LSTM},
    "agreement task": {GRU},
    "time scales": {DEEP},
    "gradient clipping": {DEEP, LSTM},
    "hidden Markov model": {BOTH_WAYS},
    "bidirectional language model": {BOTH_WAYS},
    "planted faults": {CONFORMANCE},
    "Where Keras is wrong": {DIFFERENCES},
    "Jacobian": {GRU, LSTM, DEEP},
    "重置门": {GRU},
    "更新门": {GRU},
    "遗忘门": {LSTM},
    "记忆元": {LSTM},
    "恒定误差传送带": {LSTM},
    "半衰期": {LSTM},
    "主谓一致": {GRU},
    "时间尺度": {DEEP},
    "隐马尔可夫模型": {BOTH_WAYS},
    "多音字": {BOTH_WAYS},
    "埋下的错误": {CONFORMANCE},
    "暂退法": {DIFFERENCES},
    # parts of words
    "carous": {LSTM},
    "bidirec": {BOTH_WAYS},
    "satur": {GRU},
    "遗忘": {LSTM},
    "马尔可夫": {BOTH_WAYS},
    "门控循环": {GRU},
    # two words, other words for the same
    "forget bias": {LSTM},
    "dropout mask": {DIFFERENCES, CONFORMANCE},
    "梯度 裁剪": {DEEP, LSTM},
    "细胞状态": {LSTM, "glossary"},
    "双向 语言模型": {BOTH_WAYS},
    # misspelt
    "forgett gate": {LSTM},
    "bidirectionnal": {BOTH_WAYS},
    "carosel": {LSTM},
    "hiden markov": {BOTH_WAYS},
}


def look_up(visitor, query, **settings):
    page = visitor(**settings).open("search", f"?q={query}")
    page.wait_for_selector("#search-results[data-done]", state="attached")
    return page


@pytest.mark.parametrize("query", FINDS)
def test_search_finds(visitor, query):
    page = look_up(visitor, query)
    links = page.locator("#search-results > li > a")
    found = [link.get_attribute("href") for link in links.all()][:3]
    names = {urljoin(ADDRESS, address).removeprefix(ADDRESS).split(".html")[0] for address in found}
    assert FINDS[query] & names, found


@pytest.mark.parametrize(
    "query, view", [("constant error carousel", "en"), ("恒定误差传送带", "zh")]
)
@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_a_result_opens_at_its_section_in_the_language_of_the_query(visitor, query, view, locale):
    page = look_up(visitor, query, locale=locale)
    page.locator("#search-results > li p a[href*='#']").first.click()
    page.wait_for_url(f"**/{LSTM}.html*")
    page.wait_for_load_state("load")
    assert page.evaluate(VIEW) == view
    section = page.locator(":target")
    assert query.lower() in section.inner_text().lower()
    assert 0 <= section.evaluate("(s) => s.getBoundingClientRect().top") < 200


def test_a_misspelling_says_what_was_looked_up(visitor):
    page = look_up(visitor, "carosel")
    assert "carousel" in page.locator("#search-status").inner_text()


@pytest.mark.parametrize("query", ["zyzzyva", "饕餮"])
def test_what_is_nowhere_is_not_found(visitor, query):
    page = look_up(visitor, query)
    assert page.locator("#search-results > li").count() == 0
    assert query in page.locator("#search-status").inner_text()
