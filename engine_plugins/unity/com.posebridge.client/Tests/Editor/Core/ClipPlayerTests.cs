// SPDX-License-Identifier: Apache-2.0

using NUnit.Framework;

namespace PoseBridge.Tests
{
    [TestFixture]
    public sealed class ClipPlayerTests
    {
        private const ulong StartUs = 90000000;

        [Test]
        public void FramesComeWhenTheyAreDue()
        {
            ClipPlayer player = Player(false, 1);
            PoseFrame frame = new PoseFrame(TestClips.Landmarks);
            Assert.That(player.TryRead(StartUs, frame), Is.True);
            Assert.That(frame.TimestampUs, Is.EqualTo(StartUs));
            Assert.That(player.TryRead(StartUs + 39999, frame), Is.False);
            Assert.That(player.TryRead(StartUs + 40000, frame), Is.True);
            Assert.That(frame.TimestampUs, Is.EqualTo(StartUs + 40000));
        }

        [Test]
        public void WithoutLoopItEnds()
        {
            ClipPlayer player = Player(false, 1);
            PoseFrame frame = new PoseFrame(TestClips.Landmarks);
            for (ulong f = 0; f < 3; f++)
            {
                Assert.That(player.TryRead(StartUs + f * 40000, frame), Is.True);
            }
            Assert.That(player.TryRead(StartUs + 4000000, frame), Is.False);
        }

        [TestCase(0.5)]
        [TestCase(1)]
        [TestCase(2)]
        public void LoopedTimesRiseEvenly(double speed)
        {
            ClipPlayer player = Player(true, speed);
            PoseFrame frame = new PoseFrame(TestClips.Landmarks);
            ulong stepUs = (ulong)(40000 / speed);
            for (ulong f = 0; f < 20; f++)
            {
                Assert.That(player.TryRead(StartUs + f * stepUs, frame), Is.True);
                Assert.That(frame.TimestampUs, Is.EqualTo(StartUs + f * stepUs));
            }
        }

        [Test]
        public void AfterAPauseItGoesOnFromNow()
        {
            ClipPlayer player = Player(true, 1);
            PoseFrame frame = new PoseFrame(TestClips.Landmarks);
            Assert.That(player.TryRead(StartUs, frame), Is.True);
            ulong later = StartUs + 60000000;
            Assert.That(player.TryRead(later, frame), Is.True);
            Assert.That(frame.TimestampUs, Is.EqualTo(later));
            Assert.That(player.TryRead(later, frame), Is.False);
        }

        [Test]
        public void SpeedMustBeAboveZero()
        {
            PoseRecording clip = new PoseRecording(TestClips.Make(3, false));
            foreach (double speed in new[] { 0, -1, double.NaN })
            {
                PoseBridgeArgumentException error =
                    Assert.Throws<PoseBridgeArgumentException>(() => new ClipPlayer(clip, true, speed, 0));
                Assert.That(error.Field, Is.EqualTo("speed"));
            }
        }

        private static ClipPlayer Player(bool loop, double speed)
        {
            return new ClipPlayer(new PoseRecording(TestClips.Make(3, false)), loop, speed, StartUs);
        }
    }
}
