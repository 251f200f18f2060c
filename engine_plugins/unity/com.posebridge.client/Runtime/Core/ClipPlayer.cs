// SPDX-License-Identifier: Apache-2.0

namespace PoseBridge
{
    /// <summary>
    /// Plays a clip in real time: hands out its frames when they are due, stamped with the time at which they are.
    /// </summary>
    public sealed class ClipPlayer
    {
        /// <summary>A frame that is later than this, in microseconds, makes the rest of the clip late as well.</summary>
        private const ulong LatestUs = 250000;

        private readonly PoseRecording _recording;
        private readonly bool _loop;
        private readonly double _speed;
        private ulong _startUs;
        private int _next;

        /// <param name="recording">What to play.</param>
        /// <param name="loop">Begin again at the end.</param>
        /// <param name="speed">1: as fast as it was recorded; above 0.</param>
        /// <param name="nowUs">When it begins, in microseconds of any clock.</param>
        public ClipPlayer(PoseRecording recording, bool loop, double speed, ulong nowUs)
        {
            if (recording == null)
            {
                throw new PoseBridgeArgumentException("recording", "is null", "a PoseRecording");
            }
            if (!(speed > 0))
            {
                throw new PoseBridgeArgumentException("speed", "is " + speed, "more than 0");
            }
            _recording = recording;
            _loop = loop;
            _speed = speed;
            // Time stamps are above 0.
            _startUs = nowUs == 0 ? 1 : nowUs;
        }

        /// <summary>Fill in the next frame that is due; false if there is none.</summary>
        /// <param name="nowUs">The time, in microseconds of the clock that the player was made with.</param>
        /// <param name="frame">Stamped with that clock's time.</param>
        public bool TryRead(ulong nowUs, PoseFrame frame)
        {
            if (_next == _recording.FrameCount)
            {
                if (!_loop)
                {
                    return false;
                }
                _startUs += Scaled(_recording.DurationUs + FrameIntervalUs());
                _next = 0;
            }
            ulong dueUs = _startUs + Scaled(_recording.TimestampUs(_next) - _recording.TimestampUs(0));
            if (dueUs > nowUs)
            {
                return false;
            }
            if (nowUs - dueUs > LatestUs)
            {
                // The game stood still: go on from here instead of sending everything that was missed.
                _startUs += nowUs - dueUs;
                dueUs = nowUs;
            }
            _recording.Read(_next, frame);
            frame.TimestampUs = dueUs;
            _next++;
            return true;
        }

        private ulong FrameIntervalUs()
        {
            return _recording.FrameCount > 1
                ? _recording.DurationUs / (ulong)(_recording.FrameCount - 1)
                : 33333;
        }

        private ulong Scaled(ulong clipUs)
        {
            return (ulong)(clipUs / _speed);
        }
    }
}
