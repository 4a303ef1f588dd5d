"""Several faults in one report: which are told apart, and which only look like it."""

from pathlib import Path

import pytest

from dispatch.config import load_config
from dispatch.models.policy import PolicyDocument
from dispatch.rules.faults import READ_LIMIT, Asked, told_apart
from dispatch.rules.policy import compile_policy
from dispatch.rules.triage import classify

POLICY = load_config(Path(__file__).parents[2] / "config")


def asked(text, policy=POLICY, **said):
    return Asked(policy, text, classify(policy, text=text, **said))


def apart(text, policy=POLICY, **said):
    [found] = told_apart([asked(text, policy, **said)])
    return found


def trades(text):
    return [part.trade for part in apart(text).parts]


SEVERAL = [
    ("龙头滴水，另外床头灯也不亮了", ["plumbing", "electrical"]),
    ("一是水龙头坏了，二是灯管闪，三是抽屉拉不开", ["plumbing", "electrical", "carpentry"]),
    ("1.卫生间水龙头滴水 2.门锁钥匙插不进去 3.书桌抽屉掉了", ["plumbing", "locksmith", "carpentry"]),
    ("①网口没信号②空调遥控器失灵", ["network", "hvac"]),
    ("空调不凉，网也连不上", ["hvac", "network"]),
    ("马桶堵了，还有椅子腿断了一根", ["plumbing", "carpentry"]),
    ("暖气片不热。宿舍网也断了两天了。", ["hvac", "network"]),
    ("马桶一直流水关不住，然后衣柜门的合页也掉了", ["plumbing", "carpentry"]),
    ("南苑3号楼402，空调开了不制冷，另外阳台的纱窗破了一个大洞", ["hvac", "carpentry"]),
    ("toilet clogged, also my chair leg broke", ["plumbing", "carpentry"]),
    ("AC not cooling and the wifi is down", ["hvac", "network"]),
    ("1. sink leaks 2. outlet loose 3. drawer stuck", ["plumbing", "electrical", "carpentry"]),
    ("Our washing machine won't spin. Besides, the hallway bulb is out.", ["appliance", "electrical"]),
    ("faucet drips all night and the closet door came off its hinge", ["plumbing", "carpentry"]),
    ("outlet by the bed is dead plus there are ants in the kitchen", ["electrical", "pest_control"]),
]


@pytest.mark.parametrize(("text", "found"), SEVERAL)
def test_faults_that_are_plainly_two_are_told_apart(text, found):
    assert trades(text) == found


ONE = [
    # what a fault does, and what is done to it
    *("水龙头漏水，地上全是水，走路都滑", "楼上漏水，把我们天花板和墙都泡坏了", "下水道堵了，臭味很大，地面都是脏水"),
    *("停电了，空调、冰箱、电脑都用不了", "插座没电，手机充不了，台灯也不亮", "纱窗破了，蚊子苍蝇都飞进来"),
    *("窗户关不上，下雨水都进来了，书桌都湿了", "漏水所以地滑", "水压小，淋浴出不来水，洗衣机也进不了水"),
    "The sink is leaking and the cabinet underneath is soaked",
    "No power in the room so the fridge and the lamp are off",
    "AC drips on my desk and the carpet is wet",
    "I slipped on the wet floor because the AC leaks",
    "bins are overflowing and there are flies",
    # parts of one thing
    *("电梯门关不上，灯一闪一闪的，按钮也没反应", "Lift fan and light not working"),
    "door of the fridge won't close and the light inside stays on",
    # places
    *("饮水机旁边的灯坏了，就在电梯口对面", "走廊尽头靠近消防栓的那盏灯不亮"),
    "The light above the sink in the kitchen next to the fridge is out",
    # denied, tried, guessed, asked for
    *(
        "空调不制冷，灯是好的",
        "投影仪开不了机，插座我试过是有电的，网线也插好了",
        "烟感一直响，应该是没电了，麻烦换个电池",
    ),
    "wifi is down, I restarted the router and checked the outlet",
    "no gas smell, the burner just won't light",
    # one trade told twice
    *("马桶堵了，另外水龙头漏水", "tap drips, also the toilet is clogged"),
    # only named
    *(
        "下课锁教室门，锁舌缩不回去了，门关不上，里面有一体机",
        "小区东门的道闸抬杆有点慢，早高峰堵一小会儿，有空调一下就行",
    ),
    # no repair
    *("建议多装几盏路灯，另外食堂的菜太咸", "请问空调几点开，还有图书馆几点关门"),
]


@pytest.mark.parametrize("text", ONE)
def test_one_fault_and_all_that_is_said_of_it_stays_one(text):
    assert trades(text) == []


def test_each_part_has_its_own_words_and_says_where_it_was_split():
    tap, lamp = apart("龙头滴水，另外床头灯也不亮了").parts
    assert (tap.text, tap.at, tap.said) == ("龙头滴水", 0, "")
    assert (lamp.text, lamp.at, lamp.said) == ("床头灯也不亮了", 7, "另外")
    assert (lamp.verdict.trade, lamp.verdict.urgency) == ("electrical", "normal")


def test_what_all_parts_share_of_the_place_stands_in_each():
    parts = apart("3号楼402卫生间水龙头漏水，灯也不亮，阳台的门锁坏了").parts
    assert [part.text for part in parts] == ["3号楼402卫生间水龙头漏水", "3号楼402卫生间灯也不亮", "阳台的门锁坏了"]


def test_each_part_has_an_urgency_of_its_own():
    leak, chair = apart("水管爆了一直喷水，另外椅子腿断了一根").parts
    assert leak.verdict.urgency in {"urgent", "emergency"}
    assert chair.verdict.urgency == "normal"


def test_what_is_told_of_a_fault_later_on_goes_with_it():
    parts = apart("1.龙头滴水 2.灯管闪 3.马桶堵了").parts
    assert [(part.trade, part.text) for part in parts] == [("plumbing", "龙头滴水，马桶堵了"), ("electrical", "灯管闪")]


@pytest.mark.parametrize(
    "text",
    ["插座冒烟了！另外卫生间水龙头也漏水", "卫生间水龙头漏水，另外插座冒烟了！", "厨房煤气味很大，还有椅子腿断了"],
)
def test_an_emergency_keeps_the_whole_report_and_comes_first(text):
    one = asked(text)
    assert one.whole.urgency == "emergency"
    first, second = told_apart([one])[0].parts
    assert (first.is_whole, first.text, first.trade) == (True, text, one.whole.trade)
    assert first.verdict.urgency == "emergency"
    assert (second.is_whole, second.verdict.urgency) == (False, "normal")


def test_an_emergency_that_only_the_channel_sees_is_not_split():
    text = "龙头滴水，另外床头灯也不亮了"
    assert apart(text, urgency_hint="emergency").parts == ()
    assert apart(text, hazards=("fire",)).parts == ()
    assert len(apart(text, urgency_hint="urgent").parts) == 2


def test_when_unsure_the_other_trade_is_named():
    found = apart("closet door broken, and there are roaches")
    assert (found.parts, found.second) == ((), "pest_control")


def test_the_policy_may_switch_it_off_or_leave_long_lists_to_people():
    text = "1.龙头滴水 2.灯管闪 3.抽屉拉不开 4.空调不制冷"
    document = POLICY.document.model_dump(mode="json")

    def policy(**rule):
        return compile_policy(PolicyDocument.model_validate(document | {"faults": rule}))

    assert len(apart(text).parts) == 4
    assert apart(text, policy(most=3)).parts == ()
    assert apart(text, policy(split=False)) == told_apart([asked("")])[0]
    assert apart("椅" * READ_LIMIT + text).parts == ()


def said_of(faults):
    return faults.second, [(one.text, one.at, one.said, one.trade, one.verdict, one.is_whole) for one in faults.parts]


def test_many_are_told_apart_at_once_as_each_alone():
    texts = [text for text, _found in SEVERAL] + ONE
    together = told_apart([asked(text) for text in texts])
    assert list(map(said_of, together)) == [said_of(apart(text)) for text in texts]
    assert told_apart([]) == []
