// SPDX-License-Identifier: Apache-2.0

using System;
using System.Diagnostics;
using System.Threading;
using NUnit.Framework;

namespace PoseBridge.Tests
{
    /// <summary>The sample's clip, played as the sample plays it.</summary>
    [TestFixture]
    public sealed class SampleTests
    {
        [Test]
        public void ClipGivesForecastsAndRotations()
        {
            PoseRecording clip = PoseRecording.Load(Environment.GetEnvironmentVariable("POSEBRIDGE_TEST_CLIP"));
            Assert.That(clip.LayoutId, Is.EqualTo(MediaPipePose.LayoutId));
            Assert.That(clip.DurationUs, Is.EqualTo(119000000ul / 30).Within(1));
            ClipPlayer player = new ClipPlayer(clip, true, 1, PoseClock.NowUs);
            SourceClock clock = new SourceClock();
            PoseFrame frame = new PoseFrame(clip.LandmarkCount);
            PoseSnapshot pose = new PoseSnapshot(clip.LandmarkCount);
            JointRotation[] rotations = new JointRotation[HumanoidPose.JointCount];
            using (PoseBridgeClient client = TestBody.Connect(SharedServer.Endpoint))
            {
                AvatarTrack track = client.AddAvatar("walker");
                int shown = 0;
                Stopwatch watch = Stopwatch.StartNew();
                // A game at about 100 frames a second.
                while (shown < 60)
                {
                    Assert.That(watch.ElapsedMilliseconds, Is.LessThan(20000), "no poses to show");
                    while (player.TryRead(PoseClock.NowUs, frame))
                    {
                        clock.Observe(frame.TimestampUs, PoseClock.NowUs);
                        track.Send(frame);
                    }
                    if (clock.IsKnown && track.TryGetPose(clock.ToSourceUs(PoseClock.NowUs) + 80000, 0, pose))
                    {
                        Assert.That(track.TryGetJointRotations(pose, null, rotations), Is.True);
                        Assert.That(pose.AheadUs, Is.GreaterThan(0));
                        shown++;
                    }
                    Thread.Sleep(10);
                }
                Assert.That(client.Stats.FrameErrors, Is.EqualTo(0ul));
            }
        }
    }
}
