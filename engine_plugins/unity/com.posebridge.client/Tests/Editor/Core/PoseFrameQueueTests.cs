// SPDX-License-Identifier: Apache-2.0

using System.Threading;
using NUnit.Framework;

namespace PoseBridge.Tests
{
    [TestFixture]
    public sealed class PoseFrameQueueTests
    {
        [Test]
        public void OldestMakesRoom()
        {
            PoseFrameQueue queue = new PoseFrameQueue(TestClips.Landmarks, 2);
            for (int f = 0; f < 5; f++)
            {
                queue.Push(TestClips.Frame(f, false));
            }
            PoseFrame frame = new PoseFrame(TestClips.Landmarks);
            Assert.That(queue.Dropped, Is.EqualTo(3));
            Assert.That(queue.TryPop(frame), Is.True);
            Assert.That(frame.TimestampUs, Is.EqualTo(TestClips.Frame(3, false).TimestampUs));
            Assert.That(frame.Landmarks, Is.EqualTo(TestClips.Frame(3, false).Landmarks));
            Assert.That(queue.TryPop(frame), Is.True);
            Assert.That(queue.TryPop(frame), Is.False);
        }

        [Test]
        public void FramesCrossThreadsWhole()
        {
            PoseFrameQueue queue = new PoseFrameQueue(TestClips.Landmarks, 4);
            const int Count = 20000;
            Thread writer = new Thread(() =>
            {
                PoseFrame written = new PoseFrame(TestClips.Landmarks) { Detected = true };
                for (int i = 1; i <= Count; i++)
                {
                    written.TimestampUs = (ulong)i;
                    for (int j = 0; j < TestClips.Landmarks; j++)
                    {
                        written.SetLandmark(j, i, i, i, 1);
                    }
                    queue.Push(written);
                }
            });
            writer.Start();
            PoseFrame frame = new PoseFrame(TestClips.Landmarks);
            ulong last = 0;
            while (last < Count)
            {
                if (!queue.TryPop(frame))
                {
                    continue;
                }
                Assert.That(frame.TimestampUs, Is.GreaterThan(last));
                last = frame.TimestampUs;
                for (int j = 0; j < TestClips.Landmarks; j++)
                {
                    Assert.That(frame.Landmarks[4 * j + 2], Is.EqualTo((float)last));
                }
            }
            writer.Join();
        }

        [Test]
        public void WrongSizesAreNamed()
        {
            PoseFrameQueue queue = new PoseFrameQueue(3, 1);
            PoseBridgeArgumentException error =
                Assert.Throws<PoseBridgeArgumentException>(() => queue.Push(new PoseFrame(4)));
            Assert.That(error.Message, Is.EqualTo("frame: has 4 landmarks (expected: 3 landmarks)"));
            Assert.Throws<PoseBridgeArgumentException>(() => new PoseFrameQueue(3, 0));
            Assert.Throws<PoseBridgeArgumentException>(() => new PoseFrame(0));
        }
    }
}
