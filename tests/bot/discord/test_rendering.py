"""Messages in Discord's form: spoilers, embeds where components are refused, and words without effect."""

from bot.discord.rendering import escaped
from handlers.messages.message import Message
from tests.bot.discord.conftest import World, body, shown_image, words


async def test_refused_components_become_embeds(world: World) -> None:
    """Where the new form is not taken the old one is: same words, same buttons."""
    world.env.inject_error("POST", "/channels/*/messages", status=400, code=50035, message="Invalid Form", times=1)

    with world.env.time_context():
        await world.delivery.chat.deliver(world.address(), Message(headline="fox", images=(shown_image(),)), "n")

    [embed] = world.last.embeds
    assert embed.description is not None
    assert "fox" in embed.description
    assert embed.image.url


async def test_a_spoiler_stays_a_spoiler(world: World) -> None:
    """Images that are marked are hidden until they are clicked."""
    with world.env.time_context():
        await world.delivery.chat.deliver(
            world.address(), Message(headline="fox", images=(shown_image(spoiler=True),)), "n"
        )

    assert world.last.attachments[0].is_spoiler()


async def test_untrusted_words_have_no_effect(world: World) -> None:
    """Markdown is shown, not obeyed, and nobody is called."""
    await world.ada.slash(world.channel, "imagine", prompt="**bold** @everyone <@1> `code`")
    await world.show()

    assert r"\*\*bold\*\*" in words(world.last)
    assert "@everyone" not in words(world.last)
    edit = world.env.http_requests[-1]
    assert body(edit)["allowed_mentions"] == {"parse": []}


def test_a_tag_is_no_emoji() -> None:
    assert escaped("<lora:fire:1> at 12:30:45, https://a.b:80/x") == r"<lora\:fire:1> at 12\:30:45, https://a.b:80/x"
