// SPDX-License-Identifier: Apache-2.0

using System;
using System.Reflection;
using System.Threading;
using NUnit.Framework;

namespace PoseBridge.Tests
{
    /// <summary>After the first forecast a game's frame makes no garbage.</summary>
    [TestFixture]
    public sealed class GarbageTests
    {
        private const int Frames = 5000;
        private const int Rounds = 600000;

        private static readonly Func<long> AllocatedByThisThread = FindCounter();

        private readonly PoseSnapshot _pose = new PoseSnapshot(33);
        private readonly ForecastCopy _copy = new ForecastCopy();
        private readonly JointRotation[] _local = new JointRotation[HumanoidPose.JointCount];
        private readonly JointRotation[] _global = new JointRotation[HumanoidPose.JointCount];
        private readonly PoseFrame _frame = new PoseFrame(33) { Axes = PoseAxes.MediaPipe, Detected = true };
        private double _sum;
        private byte[] _kept;

        [Test]
        public void ThousandsOfFramesMakeNoGarbage()
        {
            using (PoseBridgeClient client = TestBody.Connect(SharedServer.Endpoint))
            {
                AvatarTrack track = client.AddAvatar("frugal");
                TestBody.SendUntilForecast(track, TestBody.In(PoseAxes.Unity), 3);
                TestBody.Asymmetric().CopyTo(_frame.Landmarks, 0);
                PlayFrames(client, track, 200);
                GC.Collect();
                ulong nativeBefore = client.Stats.NativeAllocations;
                ulong forecastsBefore = client.Stats.Forecasts;
                int collections = GC.CollectionCount(0);
                long total = GC.GetTotalMemory(false);
                long own = AllocatedByThisThread();
                PlayFrames(client, track, Frames);
                Assert.That(AllocatedByThisThread() - own, Is.EqualTo(0));
                Assert.That(GC.CollectionCount(0), Is.EqualTo(collections));
                // Less than a byte a frame: what other threads, such as the runner's, take now and then.
                Assert.That(GC.GetTotalMemory(false) - total, Is.LessThan(Frames));
                Assert.That(client.Stats.NativeAllocations, Is.EqualTo(nativeBefore));
                Assert.That(client.Stats.Forecasts, Is.GreaterThan(forecastsBefore));
                Assert.That(client.ErrorCount, Is.EqualTo(0ul), client.LastError + "");
            }
        }

        [Test]
        public void HundredsOfThousandsOfCallsCauseNoCollection()
        {
            using (PoseBridgeClient client = TestBody.Connect(SharedServer.Endpoint))
            {
                AvatarTrack track = client.AddAvatar("quick");
                TestBody.SendUntilForecast(track, TestBody.In(PoseAxes.Unity), 3);
                PlayCalls(client, track, 1000);
                GC.Collect();
                int collections = GC.CollectionCount(0);
                long own = AllocatedByThisThread();
                PlayCalls(client, track, Rounds);
                Assert.That(AllocatedByThisThread() - own, Is.EqualTo(0));
                Assert.That(GC.CollectionCount(0), Is.EqualTo(collections));
            }
        }

        [Test]
        public void CountersSeeGarbage()
        {
            // Else the tests above would say nothing. The tests run with a nursery of 64 KiB.
            int collections = GC.CollectionCount(0);
            long own = AllocatedByThisThread();
            for (int i = 0; i < Frames; i++)
            {
                _kept = new byte[1];
            }
            Assert.That(_kept.Length, Is.EqualTo(1));
            Assert.That(AllocatedByThisThread() - own, Is.GreaterThanOrEqualTo(Frames * 16));
            Assert.That(GC.CollectionCount(0), Is.GreaterThan(collections));
        }

        private static Func<long> FindCounter()
        {
            // Mono has it; the reference assemblies that the compiler takes do not.
            MethodInfo method = typeof(GC).GetMethod(
                "GetAllocatedBytesForCurrentThread", BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic);
            Assert.That(method, Is.Not.Null);
            return (Func<long>)Delegate.CreateDelegate(typeof(Func<long>), method);
        }

        private void PlayFrames(PoseBridgeClient client, AvatarTrack track, int frames)
        {
            for (int i = 0; i < frames; i++)
            {
                _frame.TimestampUs = PoseClock.NowUs;
                track.Send(_frame);
                for (int k = 0; k < 5; k++)
                {
                    track.TryGetPose(_frame.TimestampUs + 300000, k, _pose);
                }
                track.TryGetJointRotations(_pose, _local, _global);
                track.TryCopyForecast(_copy);
                PlayCalls(client, track, 1);
                Thread.Sleep(1);
            }
        }

        private void PlayCalls(PoseBridgeClient client, AvatarTrack track, int rounds)
        {
            for (int i = 0; i < rounds; i++)
            {
                BorrowedForecast forecast;
                if (track.TryBorrowForecast(out forecast))
                {
                    using (forecast)
                    {
                        _sum += forecast.Position(0, 0, i % 33).X + forecast.Probability(0);
                    }
                }
                PoseAlert alert;
                PoseLogMessage message;
                _sum += client.TryPollAlert(out alert) ? 1 : 0;
                _sum += client.TryReadLog(out message) ? 1 : 0;
                _sum += client.Stats.Forecasts + client.ErrorCount + (double)client.State + track.ForecastNumber;
                _sum += client.Session.Futures;
            }
        }
    }
}
