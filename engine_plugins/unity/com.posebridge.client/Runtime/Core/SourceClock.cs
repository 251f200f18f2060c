// SPDX-License-Identifier: Apache-2.0

namespace PoseBridge
{
    /// <summary>
    /// Tells what time it is on the clock that frames are stamped with. A tracker delivers a frame some time after it was taken, and
    /// that time varies. The smallest delay seen is taken for the true one; it is let rise slowly, so that two clocks may drift.
    /// </summary>
    public sealed class SourceClock
    {
        /// <summary>A frame that is off by more than this, in microseconds, starts the clock anew (a clip that begins again).</summary>
        public const int RestartUs = 1000000;

        private const int RiseDivisor = 64;

        private long _offsetUs;

        /// <summary>False before the first frame.</summary>
        public bool IsKnown { get; private set; }

        /// <summary>Tell of a frame.</summary>
        /// <param name="timestampUs">Its time stamp, in microseconds of the source's clock.</param>
        /// <param name="nowUs">The time at which it came, in microseconds of <see cref="PoseClock"/>.</param>
        public void Observe(ulong timestampUs, ulong nowUs)
        {
            long offset = (long)nowUs - (long)timestampUs;
            long change = offset - _offsetUs;
            if (!IsKnown || change > RestartUs || change < -RestartUs || change <= 0)
            {
                _offsetUs = offset;
                IsKnown = true;
                return;
            }
            _offsetUs += change / RiseDivisor;
        }

        /// <summary>The source's time, in microseconds, at a time of <see cref="PoseClock"/>; 0 before the first frame.</summary>
        public ulong ToSourceUs(ulong nowUs)
        {
            long time = (long)nowUs - _offsetUs;
            return IsKnown && time > 0 ? (ulong)time : 0;
        }
    }
}
