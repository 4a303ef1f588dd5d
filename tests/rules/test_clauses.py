"""Where a report is cut: punctuation, words that add something, and lists, in Chinese and English."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.rules.clauses import clauses_of

CUTS = [
    ("灯不亮", [("灯不亮", "")]),
    ("", []),
    ("，。！", []),
    ("灯不亮，马桶堵了。", [("灯不亮", ""), ("马桶堵了", "soft")]),
    ("灯不亮；马桶堵了", [("灯不亮", ""), ("马桶堵了", "stop")]),
    ("灯不亮\n马桶堵了", [("灯不亮", ""), ("马桶堵了", "stop")]),
    ("龙头滴水，另外床头灯也不亮了", [("龙头滴水", ""), ("床头灯也不亮了", "add")]),
    ("灯坏了还有马桶堵了", [("灯坏了", ""), ("马桶堵了", "add")]),
    ("还有水漏出来", [("还有水漏出来", "")]),
    ("衣柜里还有蟑螂", [("衣柜里还有蟑螂", "")]),
    ("换个灯，顺便看看马桶", [("换个灯", ""), ("看看马桶", "add")]),
    ("1.龙头漏 2.灯闪 3、门锁卡", [("龙头漏", "item"), ("灯闪", "item"), ("门锁卡", "item")]),
    ("①网口没信号②空调失灵", [("网口没信号", "item"), ("空调失灵", "item")]),
    ("(1)灯坏了(2)水管漏", [("灯坏了", "item"), ("水管漏", "item")]),
    ("一是水龙头坏了，二是灯管闪", [("水龙头坏了", "item"), ("灯管闪", "item")]),
    ("一、插座没电；二、水管漏水", [("插座没电", "item"), ("水管漏水", "item")]),
    ("水温3.5度", [("水温3.5度", "")]),
    ("tap drips and the lamp is dead", [("tap drips", ""), ("the lamp is dead", "soft")]),
    ("Tap drips. Also, the lamp is dead.", [("Tap drips", ""), ("the lamp is dead", "add")]),
    ("toilet clogged, also my chair broke", [("toilet clogged", ""), ("my chair broke", "add")]),
    ("outlet is dead plus ants in the kitchen", [("outlet is dead", ""), ("ants in the kitchen", "add")]),
    ("sand in the sink", [("sand in the sink", "")]),
    ("it is in Bldg. 4", [("it is in Bldg. 4", "")]),
    ("1. sink leaks 2. outlet loose", [("sink leaks", "item"), ("outlet loose", "item")]),
    ("1) sink leaks\n2) outlet loose", [("sink leaks", "item"), ("outlet loose", "item")]),
]


@pytest.mark.parametrize(("text", "cut"), CUTS)
def test_a_report_is_cut_where_something_new_may_begin(text, cut):
    assert [(one.text, one.joint) for one in clauses_of(text)] == cut


@given(st.text(alphabet="灯a 1.2,，。；;还有另外and\n①、(（)!", max_size=60))
def test_every_clause_stands_in_the_text_where_it_says_and_in_order(text):
    found = clauses_of(text)
    ends = [0]
    for one in found:
        assert text[one.at : one.at + len(one.text)] == one.text
        assert one.at >= ends[-1]
        ends.append(one.at + len(one.text))
    assert all(one.text.strip() for one in found)
