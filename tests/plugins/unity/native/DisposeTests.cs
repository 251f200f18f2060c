// SPDX-License-Identifier: Apache-2.0

using System;
using System.Diagnostics;
using System.Threading;
using NUnit.Framework;

namespace PoseBridge.Tests
{
    [TestFixture]
    public sealed class DisposeTests
    {
        /// <summary>The library promises 200 ms; a busy machine may take longer, waiting for a server takes longer than this.</summary>
        private const int MostMs = 2000;

        [Test]
        public void DisposeWhileOtherThreadsSendAndReadEndsTheirNextCallAndNothingElse()
        {
            float[] pose = TestBody.In(PoseAxes.Unity);
            for (int round = 0; round < 10; round++)
            {
                PoseBridgeClient client = TestBody.Connect(SharedServer.Endpoint);
                Exception[] ends = new Exception[3];
                Thread[] threads = new Thread[ends.Length];
                for (int i = 0; i < threads.Length; i++)
                {
                    int number = i;
                    AvatarTrack track = client.AddAvatar("busy" + i);
                    threads[i] = new Thread(() => ends[number] = Work(track, pose));
                    threads[i].Start();
                }
                Thread.Sleep(50 + 150 * round);
                Stopwatch watch = Stopwatch.StartNew();
                client.Dispose();
                Assert.That(watch.ElapsedMilliseconds, Is.LessThan(MostMs));
                foreach (Thread thread in threads)
                {
                    Assert.That(thread.Join(5000), Is.True);
                }
                foreach (Exception end in ends)
                {
                    Assert.That(end, Is.InstanceOf<ObjectDisposedException>());
                }
            }
        }

        [Test]
        public void BorrowedForecastDiesWithItsClient()
        {
            PoseBridgeClient client = TestBody.Connect(SharedServer.Endpoint);
            AvatarTrack track = client.AddAvatar("orphan");
            TestBody.SendUntilForecast(track, TestBody.In(PoseAxes.Unity));
            BorrowedForecast forecast;
            Assert.That(track.TryBorrowForecast(out forecast), Is.True);
            client.Dispose();
            Assert.That(forecast.IsValid, Is.False);
            Assert.Throws<ObjectDisposedException>(() => forecast.Position(0, 0, 0));
            Assert.DoesNotThrow(() => forecast.Dispose());
            Assert.Throws<ObjectDisposedException>(() => { ulong number = track.ForecastNumber; });
            Assert.DoesNotThrow(client.Dispose);
        }

        [Test]
        public void DisposeIsQuickWhetherConnectedOrNot()
        {
            foreach (string endpoint in new[] { SharedServer.Endpoint, "tcp://127.0.0.1:9" })
            {
                PoseBridgeClient client = new PoseBridgeClient(new PoseBridgeConfig { Endpoint = endpoint });
                Stopwatch watch = Stopwatch.StartNew();
                client.Connect();
                Assert.That(watch.ElapsedMilliseconds, Is.LessThan(MostMs), "connect to " + endpoint);
                Thread.Sleep(100);
                watch.Restart();
                client.Dispose();
                Assert.That(watch.ElapsedMilliseconds, Is.LessThan(MostMs), "dispose of " + endpoint);
            }
        }

        [Test]
        public void ForgottenClientsAreCollected()
        {
            for (int i = 0; i < 5; i++)
            {
                Forget();
            }
            for (int i = 0; i < 3; i++)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }
            Assert.Pass();
        }

        private static void Forget()
        {
            new PoseBridgeClient(new PoseBridgeConfig { Endpoint = SharedServer.Endpoint }).Connect();
        }

        private static Exception Work(AvatarTrack track, float[] landmarks)
        {
            PoseSnapshot pose = new PoseSnapshot(33);
            ForecastCopy copy = new ForecastCopy();
            try
            {
                while (true)
                {
                    ulong now = PoseClock.NowUs;
                    track.Send(now, landmarks);
                    track.TryGetPose(now, 0, pose);
                    track.TryCopyForecast(copy);
                    Thread.Sleep(1);
                }
            }
            catch (Exception error)
            {
                return error;
            }
        }
    }
}
