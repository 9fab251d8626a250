"""Annotated videos in H.264 with the sound of their source, by PyAV (`mien[video]`)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from mien.core.errors import OutputError, SourceError
from mien.core.files import take_place
from mien.core.signals import signals_held_back
from mien.media.image import fit_between_bars, with_even_sides
from mien.media.pyav import open_to_read
from mien.media.sink import temporary_video

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.resampler import AudioResampler
    from av.audio.stream import AudioStream
    from av.bitstream import BitStreamFilterContext
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

_TICKS_PER_S = 90_000
_AT_ONCE = {
    "movflags": "hybrid_fragmented+delay_moov",
    "frag_duration": "1000000",
    "flush_packets": "1",
}
"""Second by second the file can be played, for whoever is killed; at the end it is an ordinary one.
Without delay_moov it would begin late, by as much as the encoder looks ahead."""
_AT_THE_END = {"movflags": "+faststart"}
"""It can be played once it is whole. With sound that comes late, or never, FFmpeg would keep in
memory what is to be played at once; of a file, the run can be repeated."""
_COPYABLE = frozenset({"aac", "ac3", "alac", "eac3", "flac", "mp3", "opus"})
"""Sound that an MP4 file can hold as it is; other sound becomes AAC."""
_LOWEST_MP3_HZ = 16_000
"""MP3 of a lower rate is not for MP4 files; it becomes AAC as well."""
_FALLBACK_HZ = 48_000
"""The rate of sound whose own rate AAC does not know, such as 37.8 or 192 kHz."""
_TOLD_S = 0.5
"""Sound before the first picture that is longer is missed, and its loss is told."""
_MOST_BEHIND = 20
"""Packets of sound in a row that may come no later than one before; more of them begin anew."""


class SoundVideoSink:
    """Writes frames as H.264 at the times they have in their source, with its sound.

    The file appears under its name when the sink is closed, after an error of the frames' reader
    too; until then it is a temporary file beside it. Without a source of sound, as of a camera, a
    kill leaves what was written in it but for the last seconds. Without a frame, or if the video
    cannot be finished, no file appears, and one that was there stays.

    It begins with the first picture, as the times of the frames do. Sound from before is left out.

    Args:
        path: The file, which ends in `.mp4`; its folder is made where it is missing.
        source: The video file whose sound to take; one without sound is taken as well. None for
            no sound.
        fps: Its rate, for players that ask.
        remark: Called with a line where the source's sound breaks off, or a part is left out.
        first_ms: Called before the first frame is written: `FrameSource.first_ms` of the source.

    Raises:
        OutputError: if the file cannot be written.
        SourceError: on the first frame, if the sound cannot be opened.
    """

    def __init__(
        self,
        path: Path,
        source: Path | None,
        fps: float,
        remark: Callable[[str], None],
        first_ms: Callable[[], float] = float,
    ) -> None:
        self.path = path
        self._first_ms = first_ms
        self._source = source
        self._fps = fps
        self._remark = remark
        self._output: OutputContainer | None = None
        self._video: VideoStream | None = None
        self._sound: _Sound | None = None
        self._last_tick = -1
        self._is_broken = False
        self._temporary = temporary_video(path)

    def write_at(self, image_bgr: NDArray[np.uint8], timestamp_ms: float) -> None:
        """Append a frame at its time.

        Args:
            image_bgr: (H, W, 3) uint8, BGR. The first one fixes the video's size (odd sides grow
                by a pixel); another size is scaled to fit, with black bars.
            timestamp_ms: The frame's time in the source, in milliseconds.
        """
        import av

        image_bgr = with_even_sides(image_bgr)
        if self._output is None:
            with self._told():
                self._open(image_bgr.shape[1], image_bgr.shape[0])
        assert self._output is not None
        assert self._video is not None
        size = (self._video.width, self._video.height)
        frame = av.VideoFrame.from_ndarray(fit_between_bars(image_bgr, size), format="bgr24")
        # Two frames of one time would be refused.
        frame.pts = max(round(timestamp_ms * _TICKS_PER_S / 1000), self._last_tick + 1)
        frame.time_base = Fraction(1, _TICKS_PER_S)
        # All frames after a packet that is encoded and not written would be spoilt.
        with signals_held_back(), self._told():
            self._last_tick = frame.pts
            self._output.mux(self._video.encode(frame))
            if self._sound is not None:
                self._sound.mux_until(self._output, self._last_tick / _TICKS_PER_S)

    def close(self) -> None:
        """Finish the file and give it its name; once more does nothing."""
        output, self._output = self._output, None
        # Somebody who ended the reading may press Ctrl-C once more.
        with signals_held_back():
            try:
                if output is not None:
                    with self._told():
                        self._finish(output)
                        if self._last_tick >= 0 and not self._is_broken:
                            take_place(self._temporary, self.path)
            finally:
                self._temporary.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Say in one line why the file cannot be written."""
        import av

        try:
            yield
        except (OSError, av.FFmpegError) as error:
            self._is_broken = True
            raise OutputError(f"{self.path} cannot be written: {error.strerror}.") from None

    def _finish(self, output: OutputContainer) -> None:
        assert self._video is not None
        try:
            # FFmpeg crashes on a packet that follows one that it could not write.
            if self._is_broken:
                return
            output.mux(self._video.encode(None))
            if self._sound is not None:
                self._sound.mux_until(output, self._last_tick / _TICKS_PER_S + 1 / self._fps)
        finally:
            if self._sound is not None:
                self._sound.close()
            output.close()

    def _open(self, width: int, height: int) -> None:
        import av

        container = _AT_ONCE if self._source is None else _AT_THE_END
        # Absolute: FFmpeg takes 12:30:00.mp4 for an address.
        output = av.open(self._temporary.absolute(), "w", format="mp4", options=container)
        rate = Fraction(self._fps).limit_denominator(1001)
        options = {"preset": "veryfast", "crf": "20"}
        video = output.add_stream("libx264", rate=rate, options=options)
        video.width, video.height = width, height
        video.pix_fmt = "yuv420p"
        video.codec_context.time_base = Fraction(1, _TICKS_PER_S)
        self._output, self._video = output, video
        if self._source is not None:
            self._sound = _Sound.of(self._source, output, self._remark, self._first_ms() / 1000)


class _Sound:
    """The sound of a source, on its way into another file."""

    def __init__(
        self,
        source: InputContainer,
        stream: AudioStream,
        output: OutputContainer,
        remark: Callable[[str], None],
        first_s: float,
    ) -> None:
        self._source = source
        self._remark = remark
        self._stream = stream
        self._copies = _is_copyable(stream)
        if self._copies:
            self._target = output.add_stream_from_template(stream)
        else:
            self._target = output.add_stream("aac", rate=_aac_rate(stream))
        self._without_header = _without_header(stream) if self._copies else None
        self._resampler: AudioResampler | None = None
        self._resampled: tuple[str, str, int] | None = None  # format, layout and rate
        start = source.streams.video[0].start_time
        base = source.streams.video[0].time_base
        # The frames' times count from the first frame that could be read; so must the sound's.
        start_s = float(start * base) if start is not None and base is not None else 0.0
        self._offset_s = start_s + first_s
        self._tell_what_is_left_out(stream)
        self._packets = self._rising()
        self._next: tuple[float, Packet[AudioStream]] | None = next(self._packets, None)

    @staticmethod
    def of(
        path: Path, output: OutputContainer, remark: Callable[[str], None], first_s: float
    ) -> _Sound | None:
        """Return the sound of the file at `path`; None where it has none that can be read.

        Args:
            path: The file.
            output: Where it goes.
            remark: See `SoundVideoSink`.
            first_s: How long the video's track has gone on when the first picture comes.
        """
        import av

        try:
            source = open_to_read(path)
        except (OSError, av.FFmpegError) as error:
            raise SourceError(f"The sound of {path} cannot be read: {error.strerror}.") from None
        if not source.streams.audio or not source.streams.video:
            source.close()
            return None
        # FFmpeg has no context for a codec that it does not know.
        known = [stream for stream in source.streams.audio if stream.codec_context is not None]
        if not known:
            source.close()
            remark(f"The sound of {path} is of an unknown kind: the annotated video has none.")
            return None
        return _Sound(source, known[0], output, remark, first_s)

    def mux_until(self, output: OutputContainer, seconds: float) -> None:
        """Move what is heard until a time of the video into the output."""
        while self._next is not None and self._next[0] <= seconds:
            output.mux(self._next[1])
            self._next = next(self._packets, None)

    def close(self) -> None:
        self._source.close()

    def _tell_what_is_left_out(self, stream: AudioStream) -> None:
        if stream.start_time is None or stream.time_base is None:
            return
        early_s = self._offset_s - float(stream.start_time * stream.time_base)
        if early_s > _TOLD_S:
            self._remark(
                f"The first {early_s:.1f} s of the sound of {self._source.name} come before its "
                "first picture: the annotated video begins with the picture, without them."
            )

    def _rising(self) -> Iterator[tuple[float, Packet[AudioStream]]]:
        """The packets that the output takes, each with its time in seconds.

        FFmpeg refuses one that comes no later than the one before, and the whole file with it.
        """
        step_s = Fraction(1, self._target.codec_context.sample_rate or _FALLBACK_HZ)
        next_s = Fraction(0)
        behind = 0
        for packet in self._ready():
            if packet.pts is None or packet.time_base is None:
                continue
            time_s = packet.pts * packet.time_base
            if time_s >= next_s:
                packet.dts = packet.pts
                next_s = time_s + step_s
                behind = 0
                yield float(time_s), packet
            elif next_s > 0:  # None has come before the first picture.
                behind += 1
                if behind > _MOST_BEHIND:
                    self._tell_end("its times start again")
                    return

    def _ready(self) -> Iterator[Packet[AudioStream]]:
        """The packets in a codec of the output's, as they come."""
        import av

        try:
            for packet in self._demuxed():
                if not self._copies:
                    for frame in packet.decode():
                        yield from self._encode(frame)
                elif packet.pts is not None and packet.time_base is not None:
                    packet.pts -= round(self._offset_s / packet.time_base)
                    yield from self._copy(packet)
            if not self._copies:
                yield from self._encode(None)
        except av.FFmpegError as error:
            # Whether a damaged file is fit for use is for the reader of its frames to say.
            self._tell_end(error.strerror)

    def _demuxed(self) -> Iterator[Packet[AudioStream]]:
        # At the end PyAV 18 stumbles over tracks that turned up on the way.
        with contextlib.suppress(IndexError):
            yield from self._source.demux(self._stream)

    def _copy(self, packet: Packet[AudioStream]) -> Iterator[Packet[AudioStream]]:
        import av

        packets = [packet]
        if self._without_header is not None:
            try:
                packets = self._without_header.filter(packet)
            except av.InvalidDataError:  # Damaged: the output would be given up for it.
                return
        for copied in packets:
            copied.stream = self._target
            yield copied

    def _encode(self, frame: AudioFrame | None) -> Iterator[Packet[AudioStream]]:
        """Turn a frame into AAC; at the end, what is left over."""
        for fitting in self._resample(frame):
            yield from self._target.encode(fitting)
        if frame is None:
            yield from self._target.encode(None)

    def _resample(self, frame: AudioFrame | None) -> Iterator[AudioFrame]:
        """Give a frame the encoder's format, layout and rate, of whichever it is."""
        import av

        target = self._target.codec_context
        found = None
        if frame is not None:
            found = frame.format.name, frame.layout.name, frame.sample_rate
        if found != self._resampled:  # Broadcasts change from mono to stereo, and back.
            if self._resampler is not None:
                yield from self._resampler.resample(None)
            self._resampler = av.AudioResampler(target.format, target.layout, target.sample_rate)
            self._resampled = found
        if frame is not None and self._resampler is not None:
            if frame.pts is not None and frame.time_base is not None:
                seconds = float(frame.pts * frame.time_base) - self._offset_s
                frame.pts = round(seconds * target.sample_rate)
            frame.time_base = Fraction(1, target.sample_rate)
            yield from self._resampler.resample(frame)

    def _tell_end(self, why: str | None) -> None:
        self._remark(
            f"The sound of {self._source.name} breaks off ({why}): the annotated video goes on "
            "without it."
        )


def _is_copyable(stream: AudioStream) -> bool:
    # FFmpeg calls a decoder of MP3 mp3float.
    codec = stream.codec_context.codec.canonical_name
    is_low_mp3 = codec == "mp3" and stream.codec_context.sample_rate < _LOWEST_MP3_HZ
    return codec in _COPYABLE and not is_low_mp3


def _without_header(stream: AudioStream) -> BitStreamFilterContext | None:
    """What takes off the headers of AAC's packets as MPEG-TS has them; None for other sound."""
    from av.bitstream import BitStreamFilterContext

    context = stream.codec_context
    if context.codec.canonical_name != "aac" or context.extradata:
        return None
    return BitStreamFilterContext("aac_adtstoasc", stream)


def _aac_rate(stream: AudioStream) -> int:
    """The stream's own rate where AAC knows it; sound of another one is resampled."""
    import av

    rate = stream.codec_context.sample_rate
    return rate if rate in (av.Codec("aac", "w").audio_rates or ()) else _FALLBACK_HZ
