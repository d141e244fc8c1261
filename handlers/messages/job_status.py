"""The words of a job's life: waiting, rendering, done, failed, cancelled."""

from typing import Final

from handlers.messages.message import Bar, Button, Message, Mood, ShownImage, Verb
from pipeline.images.png_text import read_size, read_texts
from pipeline.requests.control import EMPTY_MAP
from pipeline.requests.image_request import ImageRequest
from storage.queue.estimates import QueuePosition
from storage.queue.jobs import Job, JobKind, JobState

LONG_SECONDS: Final = 60.0
"""A member who waited longer than this is mentioned when the images are there."""

_PREVIEW_NAME = "preview.jpg"
_STOPPED: Final = "Limner is being stopped; this goes on where it was when it is started again."
_INVERTED: Final = "The map was black on white; it was turned into white on black, as maps of lines are read."


def in_progress(job: Job, title: str, place: QueuePosition | None, rests: str = "") -> Message:
    """The status message of a job that is not finished; `rests` says why nothing is done for it now, if that is so."""
    if job.state is JobState.RUNNING and job.steps:
        return rendering(job, title, rests)
    return waiting(job, title, place, restarted=job.attempt > 1 or job.restarts > 0, rests=rests)


def waiting(job: Job, title: str, place: QueuePosition | None, *, restarted: bool, rests: str = "") -> Message:
    """Before the first step: how many are in front, and about when it will come, or that it `rests` and why."""
    words = (rests or _place_words(place)) + (" · interrupted, goes on where it was" if restarted else "")
    return Message(
        headline=title,
        mood=Mood.WAITING,
        lines=(words,),
        buttons=((_cancel(job),),),
        job_id=job.id,
    )


def rendering(job: Job, title: str, rests: str = "") -> Message:
    """While steps are being made: a bar and the newest preview."""
    images: tuple[ShownImage, ...] = ()
    if job.preview is not None:
        images = (ShownImage(data=job.preview, file_name=_PREVIEW_NAME, alt_text=f"Preview of: {title}"),)
    return Message(
        headline=title,
        mood=Mood.WORKING,
        lines=(progress_words(job), *filter(None, (rests,))),
        bar=Bar(done=job.step, total=job.steps),
        images=images,
        buttons=((_cancel(job),),),
        job_id=job.id,
    )


def interrupted(job: Job, title: str) -> Message:
    """When Limner is stopped while the images are being made: a bar that stood still would say that they still are."""
    return Message(headline=title, mood=Mood.WAITING, lines=(_STOPPED,), job_id=job.id)


def progress_words(job: Job) -> str:
    """How far a running job is: an image in steps, everything else in percent."""
    if job.kind == JobKind.IMAGINE:
        return f"{job.step} of {job.steps} steps"
    return f"{100 * job.step // job.steps} %"


def seconds_words(seconds: float) -> str:
    """A duration as a person would say it: "about 40 s", "about 3 min", "about 2 h"."""
    if seconds < 1.5:
        return "a moment"
    if seconds < 90:
        step = 1 if seconds < 10 else 5
        return f"about {round(seconds / step) * step} s"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} min"
    return f"about {round(seconds / 3600)} h"


def done(job: Job, request: ImageRequest, images: tuple[ShownImage, ...]) -> Message:
    """The images that a job made, and what can be done with them."""
    width, height = _result_size(request, images)
    facts = (request.model, f"{width}×{height}", f"seed {request.seed}", f"{job.device_seconds or 0:.1f} s")
    return Message(
        headline=request.prompt,
        mood=Mood.DONE,
        lines=_notes(request, images),
        images=images,
        footer=" · ".join(facts),
        # Such a button finds its image by its place: where one is not shown there are none.
        buttons=(
            *(_variations(job, len(images)) if len(images) == request.count else ()),
            (*repeat_buttons(job), *_keeping(job)),
            *(((_same_control(job),),) if request.controls else ()),
        ),
        mentions=waited_long(job),
        job_id=job.id,
    )


def size_words(request: ImageRequest) -> tuple[str, ...]:
    """A line for an image that is drawn over in another size than it was handed over in."""
    if request.start is None or request.start.original_size is None:
        return ()
    width, height = request.start.original_size
    small = min(width, height) < min(request.width, request.height)
    what, why = "what is new in it" if request.start.is_masked else "it", "so small" if small else "so large"
    return (
        f"Your picture has {width}×{height} pixels; {what} is drawn at {request.width}×{request.height}, "
        f"since nothing {why} can be drawn here.",
    )


def _result_size(request: ImageRequest, images: tuple[ShownImage, ...]) -> tuple[int, int]:
    """How large the images are: over an image they have its own size, which may not be what was drawn."""
    return read_size(images[0].data) if images and request.start is not None else (request.width, request.height)


def _result_words(request: ImageRequest, images: tuple[ShownImage, ...]) -> tuple[str, ...]:
    """A line for a result that is smaller than the image that was handed over."""
    if request.start is None or request.start.original_size is None:
        return ()
    (width, height), (across, down) = _result_size(request, images), request.start.original_size
    if not images or width * height >= across * down:
        return ()
    return (f"The result has {width}×{height} pixels, as many as are allowed here.",)


def _notes(request: ImageRequest, images: tuple[ShownImage, ...]) -> tuple[str, ...]:
    """What was done otherwise than the member may think; the images say themselves which controls kept nothing."""
    empty = dict.fromkeys(read_texts(image.data).get(EMPTY_MAP) for image in images) if request.controls else {}
    return (
        *size_words(request),
        *_result_words(request, images),
        *(f"Nothing was found to keep by the control {kinds}: its map is empty." for kinds in empty if kinds),
        *((_INVERTED,) if any(use.inverted for use in request.controls) else ()),
    )


def ended(job: Job, title: str, mood: Mood, sentence: str, buttons: tuple[tuple[Button, ...], ...] = ()) -> Message:
    """A job that made nothing, and why."""
    return Message(
        headline=title,
        mood=mood,
        lines=(sentence,),
        buttons=buttons,
        mentions=mood is Mood.FAILED and waited_long(job),
        job_id=job.id,
    )


def waited_long(job: Job) -> bool:
    """Whether it took so long that the one who asked has looked away."""
    return job.finished_at is not None and job.finished_at - job.created_at > LONG_SECONDS


def _variations(job: Job, count: int) -> tuple[tuple[Button, ...], ...]:
    """A row each of upscalings, strong and subtle variations, with a button for each image."""
    if count == 1:
        words = ((Verb.UPSCALE, "Upscale"), (Verb.VARY_SUBTLE, "Vary a little"), (Verb.VARY_STRONG, "Vary a lot"))
        return (tuple(Button(verb=verb, target=job.id, label=label) for verb, label in words),)
    return tuple(
        tuple(Button(verb=verb, target=job.id, index=index, label=f"{word} {index + 1}") for index in range(count))
        for verb, word in ((Verb.UPSCALE, "Upscale"), (Verb.VARY_STRONG, "Vary"), (Verb.VARY_SUBTLE, "Subtle"))
    )


def repeat_buttons(job: Job) -> tuple[Button, ...]:
    """To ask for the same again, or for something else."""
    again = Button(verb=Verb.AGAIN, target=job.id, label="Again")
    return again, Button(verb=Verb.EDIT, target=job.id, label="Edit")


def _keeping(job: Job) -> tuple[Button, ...]:
    words = ((Verb.INFO, "Info"), (Verb.SAVE, "Save"), (Verb.DELETE, "Delete"))
    return tuple(Button(verb=verb, target=job.id, label=label) for verb, label in words)


def _same_control(job: Job) -> Button:
    return Button(verb=Verb.SAME_CONTROL, target=job.id, label="Use the same control")


def _cancel(job: Job) -> Button:
    has_something = job.kind == JobKind.TRAIN and job.step > 0
    return Button(verb=Verb.CANCEL, target=job.id, label="Stop and keep the best" if has_something else "Cancel")


def _place_words(place: QueuePosition | None) -> str:
    if place is None:
        return "Starting"
    if place.before == 0:
        return f"Next, {seconds_words(place.seconds)}"
    return f"{place.before} before you, {seconds_words(place.seconds)}"
