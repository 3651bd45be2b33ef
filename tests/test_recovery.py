"""What an operator does on a bad day: a new key, a restored backup."""

from tests.client import Client, post
from tests.conftest import MakeStack

OLD = "the-old-key-that-is-long-enough-and-has-many-different-letters-0123456789"
NEW = "the-new-key-that-is-long-enough-and-has-many-different-letters-9876543210"


async def test_visitors_keep_their_chat_when_the_key_is_changed(stack: MakeStack) -> None:
    made = stack(env={"SECRET_KEY": OLD})
    async with await Client.open(made.server) as visitor:
        await visitor.say("Hello")
        said = await visitor.reply()
    old = visitor.token
    made.server.stop()

    between = made.add(SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=OLD).start()
    async with await Client.open(between, token=old) as again:
        assert again.init["messages"][-1]["id"] == said["id"]
    slid = again.token
    between.stop()

    after = made.add(SECRET_KEY=NEW).start()
    assert (await post(after, "/api/chat/init", {"site": "demo", "token": old}))[0] == 401
    async with await Client.open(after, token=slid) as later:
        assert later.init["messages"][-1]["id"] == said["id"]


async def test_after_a_restore_every_client_drops_its_copy(stack: MakeStack) -> None:
    made = stack()
    async with await Client.open(made.server) as visitor:
        await visitor.say("Hello")
        await visitor.reply()
    epoch, rev = visitor.init["conversation"]["epoch"], visitor.rev
    made.manage("bump_epoch")
    async with await Client.open(made.server, token=visitor.token, rev=rev, epoch=epoch) as again:
        status = again.frames[0]
        assert (status["type"], status["full"]) == ("status", True)
        assert status["conversation"]["epoch"] == epoch + 1
        assert len(status["messages"]) == 3
    new = again.frames[0]["conversation"]["epoch"]
    async with await Client.open(made.server, token=visitor.token, rev=rev, epoch=new) as settled:
        assert settled.frames[0]["full"] is False
