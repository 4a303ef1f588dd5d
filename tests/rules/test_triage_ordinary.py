"""Ordinary tickets in ordinary words: a thing is named, or a danger, and around it stands what people usually say."""

from pathlib import Path

import pytest

from benchmarks import campus
from dispatch.config import load_config
from dispatch.rules.triage import classify, hear

POLICY = load_config(Path(__file__).parents[2] / "config")

FRAMES = {
    "zh": (
        "{}坏了，没法用",
        "{}出故障，请维修",
        "{}有问题，请来看看",
        "报修{}",
        "{}损坏，请派人维修",
        "宿舍{}出了问题",
        "3栋402{}无法正常使用",
        "{}老化了，麻烦处理一下",
        "您好，我们这里的{}坏了，请尽快维修，谢谢",
    ),
    "en": (
        "{} broken",
        "{} faulty",
        "problem with the {}",
        "issue with {}",
        "fix {}",
        "{} needs repair asap",
        "the {} in room 204 is not working properly",
        "Hi, the {} is damaged, could someone have a look? Thanks",
        "something is wrong with the {}",
    ),
}
DANGEROUS = (
    *(
        "煤气",
        "燃气",
        "天然气",
        "液化气",
        "气瓶",
        "气罐",
        "裸线",
        "困人",
        "打架",
        "斗殴",
        "闯入",
        "呕吐",
        "臭",
        "电梯里",
    ),
    *("gas", "propane", "lpg", "carbon", "fight", "intruder", "follow", "vomit", "stranger", "trespass"),
)
"""What in the name of a thing is more than a thing: its fault may well be an emergency."""
NO_THINGS = (
    *("moving", "event", "setup", "wash", "washed", "window washed", "supplies", "delivery", "steal", "harassment"),
    *("harassing", "stalking", "break in", "mold", "mould", "mildew", "stain", "spill", "icy", "ice on", "odour"),
)
"""Words of the lexicon that nobody would call broken."""

NOW = {
    "zh": (
        "洗衣房里着火了",
        "配电箱冒烟",
        "插座冒火花",
        "走廊有煤气味",
        "厨房那边煤气漏了",
        "有人被困在电梯里",
        "小孩被反锁在厕所里",
        "水管爆了，水喷得到处都是",
        "消防管道爆裂，走廊全淹了",
        "天花板塌下来了",
        "楼外面的瓷砖一块一块往下掉",
        "有个工人刚才触电了",
        "电线裸露在外面",
        "实验室试剂打翻，气味刺鼻",
        "硫酸洒了一地",
        "好几个同学吃完饭呕吐拉肚子",
        "有人从楼梯上摔下来，动不了",
        "学生流血不止",
        "有个拿刀的男人进了办公室",
        "门口有人在打架",
        "有人昏倒了",
    ),
    "en": (
        "there is a fire in the kitchen",
        "smoke is coming from the electrical panel",
        "sparks are coming from the outlet",
        "there is a gas leak in the kitchen",
        "there is a strong smell of gas in the hallway",
        "someone is stuck in the elevator",
        "a child is locked in the bathroom and can't get out",
        "a burst pipe is flooding the whole floor",
        "water is pouring through the ceiling",
        "the ceiling has collapsed",
        "bricks are falling from the facade onto the sidewalk",
        "someone got an electric shock",
        "there are exposed live wires in the corridor",
        "there has been a chemical spill in the lab",
        "acid has been spilled on the floor",
        "several students are vomiting after lunch",
        "my colleague fell off a ladder and can't get up",
        "someone is bleeding badly",
        "a man is waving a knife at people in the lobby",
        "there is a fight outside",
        "somebody is unconscious on the floor",
    ),
}
TOLD = {
    "zh": ("{}", "{}！！！", "{}，请尽快处理", "报修：{}", "你好，{}，麻烦派人来看看，谢谢", "老师您好，我们这边{}"),
    "en": ("{}", "{}!!!", "{} please help", "Room 402: {}", "Hi, {}. Could someone come? Thanks", "I just noticed {}"),
}


def judged(texts):
    return [classify(POLICY, text=text, heard=heard) for text, heard in zip(texts, hear(texts), strict=True)]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_thing_that_is_named_and_said_to_be_broken_goes_to_its_craft_and_alarms_nobody(language):
    named = [
        (frame.format(thing), trade)
        for frame in FRAMES[language]
        for trade, words in POLICY.document.lexicon.trades.items()
        for thing in getattr(words, language)
        if thing not in NO_THINGS and not any(each in thing for each in DANGEROUS)
    ]
    verdicts = judged([text for text, _ in named])
    astray = [text for (text, trade), found in zip(named, verdicts, strict=True) if found.trade != trade]
    alarms = [text for (text, _), found in zip(named, verdicts, strict=True) if found.urgency == "emergency"]
    assert len(named) > 5000
    assert len(astray) <= 0.05 * len(named), astray[:50]
    assert len(alarms) <= 0.01 * len(named), alarms


@pytest.mark.parametrize("language", ["zh", "en"])
def test_an_emergency_is_one_however_politely_it_is_told(language):
    texts = [frame.format(each) for frame in TOLD[language] for each in NOW[language]]
    missed = [text for text, found in zip(texts, judged(texts), strict=True) if found.urgency != "emergency"]
    assert len(missed) <= 0.01 * len(texts), missed


@pytest.mark.parametrize(("trade", "text"), campus.TEXTS)
def test_the_reports_of_the_benchmarks_go_to_their_crafts(trade, text):
    (found,) = judged([text])
    assert found.trade == trade
