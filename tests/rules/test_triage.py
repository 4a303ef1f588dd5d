"""What a report asks for, in the words of the lexicon that ships."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.config import load_config
from dispatch.rules.state import Requirement
from dispatch.rules.triage import classify
from dispatch.rules.triage_blend import weigh
from dispatch.rules.triage_model import OUT_OF_SCOPE, UNCLEAR, Prediction
from tests.support.models import tiny_model

POLICY = load_config(Path(__file__).parents[2] / "config")


def judge(text, **more):
    return classify(POLICY, text=text, **more)


def verdict(text, **more):
    judged = judge(text, **more)
    return judged.trade, judged.urgency


@pytest.mark.parametrize(
    ("text", "trade"),
    [
        ("洗手间水龙头关不紧，一直滴水", "plumbing"),
        ("The kitchen faucet keeps dripping", "plumbing"),
        ("走廊的灯一闪一闪", "electrical"),
        ("Ceiling lamp is flickering", "electrical"),
        ("空调漏水", "hvac"),
        ("the air conditioner is leaking on my bed", "hvac"),
        ("热水器漏水", "appliance"),
        ("宿舍门关不上", "carpentry"),
        ("window won't close", "carpentry"),
        ("门锁钥匙断在里面", "locksmith"),
        ("墙皮脱落", "masonry"),
        ("WiFi连不上", "network"),
        ("电梯门一直不关", "elevator"),
        ("灭火器没压力了", "fire_safety"),
        ("燃气灶打不着火", "gas"),
        ("草坪该割草了", "grounds"),
        ("卫生间地面很脏，请打扫", "cleaning"),
        ("There are cockroaches in my room", "pest_control"),
        ("门禁刷卡没反应", "security"),
        ("请帮忙搬一下旧家具", "general"),
    ],
)
def test_things_belong_to_trades(text, trade):
    judged = judge(text)
    assert (judged.trade, judged.source, judged.needs_front_desk) == (trade, "lexicon", False)
    assert judged.evidence


@pytest.mark.parametrize(
    ("text", "trade", "hazard"),
    [
        ("后厨有很浓的煤气味", "gas", "gas"),
        ("I can smell gas in the corridor", "gas", "gas"),
        ("There is a strong smell of gas", "gas", "gas"),
        ("插座冒烟了", "electrical", "fire"),
        ("垃圾桶着火了", "fire_safety", "fire"),
        ("电梯困人", "elevator", "trapped"),
        ("two people are trapped in the lift", "elevator", "trapped"),
        ("四楼热水管爆裂", "plumbing", "flood"),
        ("A pipe has burst in the bathroom", "plumbing", "flood"),
        ("天花板塌了", "masonry", "falling"),
    ],
)
def test_an_emergency_overrides_all_else(text, trade, hazard):
    judged = judge(text, urgency_hint="low", trade_hint="cleaning")
    assert (judged.trade, judged.urgency) == (trade, "emergency")
    assert hazard in judged.hazards


@pytest.mark.parametrize(
    "text",
    [
        "没有煤气味，就是打不着火",
        "没闻到任何煤气味",
        "并没有人被困，电梯不动",
        "没有煤气味和浓烟",
        "没有明火、冒烟",
        "There is no smell of gas",
        "I did not see any smoke or flames",
        "Nobody is trapped, but the lift does not move",
    ],
)
def test_a_denied_emergency_is_none(text):
    judged = judge(text)
    assert (judged.urgency, judged.hazards) == ("normal", ())


@pytest.mark.parametrize("text", ["烟雾报警器该换电池了", "火灾报警器误报", "smoke detector is chirping"])
def test_a_device_that_warns_of_an_emergency_is_none(text):
    judged = judge(text)
    assert judged.urgency in {"normal", "low"}
    assert (judged.trade, judged.hazards) == ("fire_safety", ())


@pytest.mark.parametrize(
    "text",
    [
        "有没有煤气味啊，好像有点",
        "不是没有煤气味",
        "之前没有煤气味",
        "没人来修，煤气味很大",
        "没有人管煤气味",
        "没有水，但是插座冒烟",
        "No one came. Smell of gas in the kitchen",
        "not only smoke but flames",
        "There was no smell of gas until today",
        "no water and a gas leak",
    ],
)
def test_a_denial_of_something_else_does_not_calm(text):
    assert judge(text).urgency == "emergency"


def test_a_denial_is_kept_as_evidence():
    assert "denied 煤气味" in judge("没有煤气味，就是打不着火").evidence


def test_stated_facts_make_it_urgent_and_loud_words_do_not():
    assert verdict("整间没电") == ("electrical", "urgent")
    assert verdict("There is no water in the dorm") == ("plumbing", "urgent")
    assert verdict("灯坏了！！！尽快！！紧急！！ASAP") == ("electrical", "normal")
    assert verdict("灯罩有点旧，不急，有空再来") == ("electrical", "low")


def test_an_urgent_fact_is_not_made_low_by_politeness():
    assert verdict("马桶堵了，粪水溢出来了，不急的话也行")[1] == "urgent"


def test_the_longer_word_hides_the_shorter_one():
    assert judge("消防栓漏水").trade == "fire_safety"
    assert judge("门口的灯坏了").trade == "electrical"
    assert judge("卫生间水管漏").trade == "plumbing"


def test_full_width_letters_and_case_do_not_matter():
    assert judge("ＷＩＦＩ断了").trade == "network"
    assert judge("THE TOILETS ARE CLOGGED").trade == "plumbing"
    assert judge("The door’s handle is loose").trade == "carpentry"


def test_nobody_can_place_it_so_the_desk_is_asked():
    for text in ("", "你好在吗", "hello", "?!?", "12345"):
        judged = judge(text)
        assert (judged.trade, judged.requirements, judged.source) == (None, (), "none")
        assert judged.needs_front_desk


def test_a_hint_decides_where_words_do_not():
    judged = judge("坏了，来看看", trade_hint="network")
    assert (judged.trade, judged.source) == ("network", "hint")


def test_an_unknown_hint_is_noted_and_nothing_more():
    judged = judge("灯坏了", trade_hint="lampist")
    assert judged.trade == "electrical"
    assert "unknown hint 'lampist'" in judged.evidence


def test_a_category_is_a_trade_or_words():
    assert judge("", category="hvac").source == "category"
    judged = judge("", category="水电维修/水龙头")
    assert (judged.trade, judged.source) == ("plumbing", "category")


def test_hazards_sent_along_are_believed():
    judged = judge("厨房灶台有问题", hazards=("gas",))
    assert (judged.trade, judged.urgency, judged.hazards) == ("gas", "emergency", ("gas",))
    assert verdict("灯坏了", hazards=("asbestos",)) == ("electrical", "urgent")


def test_a_fault_that_reaches_far_is_urgent():
    assert verdict("网络断了", impact="building")[1] == "urgent"
    assert verdict("网络断了", impact="room")[1] == "normal"


def test_an_urgency_hint_raises_and_lowers_only_where_words_are_silent():
    assert verdict("灯坏了", urgency_hint="urgent")[1] == "urgent"
    assert verdict("灯坏了", urgency_hint="low")[1] == "low"
    assert verdict("整间没电", urgency_hint="low")[1] == "urgent"
    assert verdict("灯坏了", urgency_hint="whatever")[1] == "normal"


def test_planned_work_is_not_alarmed_by_its_own_words():
    judged = judge("季度检查：燃气泄漏与消防", kind="preventive", origin="preventive")
    assert judged.urgency == "normal"
    assert judge("季度检查：燃气泄漏", origin="reactive").urgency == "emergency"


def test_a_craft_that_was_chosen_on_a_form_is_asked_for_unless_the_text_is_far_from_it():
    model = tiny_model("tiny", zorp={"out_of_scope": 1.2}, vorp={"out_of_scope": 3})
    assert judge("zorp", model=model).out_of_scope
    chosen = judge("zorp", model=model, trade_hint="plumbing")
    assert (chosen.trade, chosen.source, chosen.needs_front_desk) == ("plumbing", "hint", False)
    assert judge("vorp", model=model, trade_hint="plumbing").out_of_scope


def test_a_word_of_urgency_tips_the_scales_and_yields_to_a_text_that_says_otherwise():
    model = tiny_model("tiny", zorp={"urgent": 9}, vorp={"low": 0.6})
    assert judge("vorp", model=model).urgency == "normal"
    assert judge("vorp when you have time", model=model).urgency == "low"
    assert judge("zorp when you have time", model=model).urgency == "urgent"
    assert judge("vorp when you have time", model=model, urgency_hint="urgent").urgency == "urgent"


def test_without_a_word_what_the_channel_says_of_urgency_stands_before_the_model():
    model = tiny_model("tiny", zorp={"urgent": 9})
    assert [judge("zorp", model=model, urgency_hint=each).urgency for each in (None, "low")] == ["urgent", "low"]


def test_what_sounds_like_an_emergency_and_names_no_hazard_is_urgent():
    model = tiny_model("tiny", zorp={"emergency": 9})
    assert judge("zorp", model=model).urgency == "urgent"


def test_a_letter_goes_to_the_desk_unless_it_is_an_emergency():
    assert judge("师傅修空调态度差", kind="complaint").needs_front_desk
    assert judge("投诉：有煤气味没人管", kind="complaint").trade == "gas"


def test_what_the_trade_needs_is_asked_for():
    assert judge("闻到煤气味").requirements == (
        Requirement(trade="gas", min_level=3, certificates=("gas_fitter_licence",), count=1),
    )


@pytest.mark.parametrize(
    ("text", "trade", "task", "papers"),
    [
        ("教学楼幕墙玻璃裂了", None, "height", {"height_work_licence"}),
        ("the gutter is hanging off", None, "height", {"height_work_licence"}),
        ("路灯灯杆上的灯不亮", "electrical", "height", {"electrician_licence", "height_work_licence"}),
        ("楼梯栏杆脱焊了，需要电焊", None, "hot_work", {"welding_licence"}),
        ("the bench needs welding, no hurry", None, "hot_work", {"welding_licence"}),
        ("化粪池满了", "plumbing", "confined_space", {"confined_space_permit"}),
        ("箱变嗡嗡响", "electrical", "high_voltage", {"electrician_licence", "high_voltage_licence"}),
    ],
)
def test_work_that_takes_more_asks_for_its_certificates_and_is_no_emergency(text, trade, task, papers):
    judged = judge(text)
    assert judged.hazards == (task,)
    assert judged.urgency != "emergency"
    assert set(judged.requirements[0].certificates) >= papers
    assert trade is None or judged.trade == trade


def test_a_task_that_a_channel_names_asks_for_certificates_and_one_that_is_denied_does_not():
    assert judge("灯坏了", hazards=("height",)).requirements[0].certificates == (
        "electrician_licence",
        "height_work_licence",
    )
    assert judge("灯坏了", hazards=("height",)).urgency == "normal"
    assert judge("外墙边的水龙头滴水").hazards == ()
    assert judge("灯坏了，没有外墙脱落").hazards == ()


def test_what_is_unclear_to_the_model_is_about_the_thing_that_is_named():
    heard = Prediction(
        trade=UNCLEAR, probability=0.6, second=OUT_OF_SCOPE, second_probability=0.3, alarm=-9.0, hazard="fire",
        pressing=[0.0, 0.0, 0.0], kind="repair", kind_margin=0.0, known=5, place=0, batch=None,
    )  # fmt: skip
    lamp = {"electrical": 2}
    assert weigh(POLICY, lamp, lamp, {}, heard).trade == "electrical"
    assert weigh(POLICY, {}, {}, {}, heard).trade is None


def test_the_same_words_give_the_same_verdict():
    assert judge("灯和水龙头都坏了") == judge("灯和水龙头都坏了")
    assert judge("水龙头和插座都坏了").trade == "plumbing"


@given(st.text(max_size=300), st.text(max_size=20), st.text(max_size=20))
def test_no_text_breaks_it(text, category, hint):
    judged = judge(text, category=category, trade_hint=hint)
    assert judged.trade is None or judged.trade in POLICY.trades
    assert 0 <= judged.confidence_permille <= 1000
    assert judged.needs_front_desk == (judged.trade is None)


@given(
    st.lists(st.sampled_from(["没有", "不是", "煤气味", "，", "no ", "smoke ", "or ", "'", "。", "有", "\ud800", "门"]))
)
def test_no_heap_of_denials_breaks_it(words):
    assert judge("".join(words)).urgency in {"emergency", "urgent", "normal", "low"}


def test_a_long_text_is_read_up_to_its_limit():
    assert judge("煤气味" + "哦" * 5_000).urgency == "emergency"
    unread = judge("哦" * 5_000 + "煤气味")
    assert (unread.trade, unread.hazards, unread.urgency) == (None, (), judge("哦" * 5_000).urgency)


def test_it_sounds_no_alarm_at_a_name_that_holds_an_alarm():
    judged = judge("火灾报警主机上报：二层回路故障")
    assert judged.urgency != "emergency"
    assert judged.hazards == ()
