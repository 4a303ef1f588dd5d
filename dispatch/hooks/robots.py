"""Group robots of WeCom, DingTalk and Feishu: what waits is merged, for they take about 20 messages a minute."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final
from urllib.parse import quote

import msgspec
from msgspec.structs import replace

from dispatch.hooks.addresses import Lookup
from dispatch.hooks.delivery import Delivery, Outcome
from dispatch.hooks.senders import NOBODY, HttpSender, Person, named
from dispatch.hooks.signing import sign_dingtalk, sign_feishu
from dispatch.models.hooks import RobotHook

PAUSE_S: Final = 60.0
"""How long a robot rests that says that it has heard too much."""
_JSON: Final = {"Content-Type": "application/json; charset=utf-8"}
_encode = msgspec.json.Encoder().encode
_GAP: Final = "\n\n"


class Robot(HttpSender):
    """What the robots share: an address with a key in it, a text, and an answer with a code in its body."""

    base_url: ClassVar[str]
    most_bytes: ClassVar[int]
    code: ClassVar[str] = "errcode"
    too_many: ClassVar[frozenset[int]]
    never: ClassVar[frozenset[int]]

    def __init__(self, name: str, hook: RobotHook, key: str, secret: str | None, lookup: Lookup | None = None) -> None:
        """``key`` stands in the address; ``secret``, if the robot has one, signs."""
        super().__init__(name, hook, lookup)
        self.url = (hook.base_url or self.base_url) + quote(key, safe="")
        self.secret = secret
        self.per_minute = hook.per_minute
        self.merges = hook.merge

    async def send(self, deliveries: Sequence[Delivery], _person: Person) -> Outcome:
        """See Sender."""
        url, body = self.message(merged(deliveries, self.most_bytes), time.time())
        return await self.post(url, _encode(body), _JSON, self.judge)

    def message(self, text: str, now: float) -> tuple[str, Mapping[str, Any]]:
        """Address and body of a message at a moment of wall time."""
        raise NotImplementedError

    def judge(self, body: bytes, outcome: Outcome) -> Outcome:
        """What the code in the answer means; an answer without one is no robot's."""
        try:
            code = msgspec.json.decode(body).get(self.code)
        except (msgspec.DecodeError, AttributeError, UnicodeDecodeError):
            code = None
        if code == 0:
            return outcome
        status = f"{self.code} {code}"
        if code in self.too_many:
            return replace(outcome, kind="retry", status=status, retry_after_s=PAUSE_S)
        return replace(outcome, kind="refused" if code in self.never else "retry", status=status)


class WeCom(Robot):
    """企业微信群机器人: the key is all there is; 20 messages a minute."""

    base_url = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key="
    most_bytes = 2048
    too_many = frozenset({45009, 45033})
    never = frozenset({40058, 93000, 93008})

    def message(self, text: str, _now: float) -> tuple[str, Mapping[str, Any]]:
        """See Robot."""
        return self.url, {"msgtype": "text", "text": {"content": text}}


class DingTalk(Robot):
    """钉钉群机器人: timestamp and signature stand in the address."""

    base_url = "https://oapi.dingtalk.com/robot/send?access_token="
    most_bytes = 18_000
    too_many = frozenset({130101, 410100, 660026})
    never = frozenset({40035, 300001, 400013, 400101})

    def message(self, text: str, now: float) -> tuple[str, Mapping[str, Any]]:
        """See Robot."""
        url = self.url
        if self.secret:
            now_ms = int(now * 1000)
            url += f"&timestamp={now_ms}&sign={quote(sign_dingtalk(self.secret, now_ms), safe='')}"
        return url, {"msgtype": "text", "text": {"content": text}}


class Feishu(Robot):
    """飞书群机器人: timestamp and signature stand in the body."""

    base_url = "https://open.feishu.cn/open-apis/bot/v2/hook/"
    most_bytes = 18_000
    code = "code"
    too_many = frozenset({9499, 11232})
    never = frozenset({19001, 19002, 19007})

    def message(self, text: str, now: float) -> tuple[str, Mapping[str, Any]]:
        """See Robot."""
        body: dict[str, Any] = {"msg_type": "text", "content": {"text": text}}
        if self.secret:
            now_s = int(now)
            body |= {"timestamp": str(now_s), "sign": sign_feishu(self.secret, now_s)}
        return self.url, body


ROBOTS: Final[dict[str, type[Robot]]] = {"wecom": WeCom, "dingtalk": DingTalk, "feishu": Feishu}


def merged(deliveries: Sequence[Delivery], most_bytes: int) -> str:
    """One text for several deliveries, whole where it fits: then titles alone, and at last it is cut."""
    full = _GAP.join(named(f"{one.title}\n{one.text}", NOBODY).strip() for one in deliveries)
    if len(full.encode()) <= most_bytes:
        return full
    titles = "\n".join(named(one.title, NOBODY) for one in deliveries) if len(deliveries) > 1 else full
    raw = titles.encode()
    return titles if len(raw) <= most_bytes else raw[: most_bytes - 3].decode(errors="ignore") + "…"
