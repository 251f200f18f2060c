// SPDX-License-Identifier: Apache-2.0

using NUnit.Framework;

namespace PoseBridge.Tests
{
    [TestFixture]
    public sealed class SourceClockTests
    {
        [Test]
        public void BeforeTheFirstFrameThereIsNoTime()
        {
            SourceClock clock = new SourceClock();
            Assert.That(clock.IsKnown, Is.False);
            Assert.That(clock.ToSourceUs(123456), Is.EqualTo(0ul));
        }

        [Test]
        public void SmallestDelayCounts()
        {
            SourceClock clock = new SourceClock();
            clock.Observe(1000000, 5030000);
            clock.Observe(1033000, 5043000);
            clock.Observe(1066000, 5116000);
            // The second frame was 20 ms quicker than the first; the third one's 40 ms more move the clock by a 64th.
            Assert.That(clock.ToSourceUs(5116000), Is.EqualTo(1106000ul - 625));
        }

        [Test]
        public void TimeGoesOnBetweenFrames()
        {
            SourceClock clock = new SourceClock();
            clock.Observe(1000000, 2000000);
            Assert.That(clock.ToSourceUs(2010000), Is.EqualTo(1010000ul));
        }

        [Test]
        public void AClipThatBeginsAgainStartsTheClockAnew()
        {
            SourceClock clock = new SourceClock();
            clock.Observe(9000000, 20000000);
            clock.Observe(1000000, 20033000);
            Assert.That(clock.ToSourceUs(20033000), Is.EqualTo(1000000ul));
        }

        [Test]
        public void SourceMayBeAheadOfTheClock()
        {
            SourceClock clock = new SourceClock();
            clock.Observe(8000000, 500000);
            Assert.That(clock.ToSourceUs(600000), Is.EqualTo(8100000ul));
        }
    }
}
