// SPDX-License-Identifier: Apache-2.0

using System;
using System.Threading;
using NUnit.Framework;

namespace PoseBridge.Tests
{
    [TestFixture]
    public sealed class ReconnectTests
    {
        [Test]
        public void ForecastsGoOnAfterTheServerWasKilledAndStartedAgain()
        {
            float[] pose = TestBody.In(PoseAxes.Unity);
            TestServer server = new TestServer();
            try
            {
                PoseBridgeConfig config = new PoseBridgeConfig
                {
                    Endpoint = server.Endpoint, SilenceMs = 1500, ReconnectMaxMs = 300,
                };
                using (PoseBridgeClient client = TestBody.Connect(config))
                using (Player player = new Player(client.AddAvatar("survivor")))
                {
                    TestBody.Until(() => player.ForecastNumber > 0, "the first forecast");
                    string endpoint = server.Endpoint;
                    server.Kill();
                    TestBody.Until(() => client.State != PoseBridgeState.Ready, "the loss to be noticed");
                    server.Dispose();
                    server = new TestServer(endpoint);
                    ulong before = player.ForecastNumber;
                    TestBody.Until(() => client.State == PoseBridgeState.Ready, "the new session");
                    ulong given = client.Stats.FramesGiven;
                    TestBody.Until(() => player.ForecastNumber > before, "the first forecast of the new session");
                    // The new server needs its context; it is sent what was kept, so nobody has to wait for that.
                    Assert.That(client.Stats.FramesGiven - given, Is.LessThan((ulong)client.Session.ContextFrames));
                    Assert.That(client.Stats.Sessions, Is.EqualTo(2ul));
                    Assert.That(player.Problem, Is.Null);
                }
            }
            finally
            {
                server.Dispose();
            }
        }

        [Test]
        public void DisconnectedClientGoesOnWithWhatItHadSentWhenItConnectsAgain()
        {
            using (PoseBridgeClient client = TestBody.Connect(SharedServer.Endpoint))
            {
                AvatarTrack track = client.AddAvatar("again");
                TestBody.SendUntilForecast(track, TestBody.In(PoseAxes.Unity), 3);
                client.Disconnect();
                Assert.That(client.State, Is.EqualTo(PoseBridgeState.Disconnected));
                ulong before = track.ForecastNumber;
                client.Connect();
                TestBody.Until(() => client.State == PoseBridgeState.Ready, "the second session");
                TestBody.SendUntilForecast(track, TestBody.In(PoseAxes.Unity), before + 1);
                Assert.That(client.Stats.Sessions, Is.EqualTo(2ul));
                Assert.That(client.Stats.FramesResent, Is.GreaterThan(0ul));
            }
        }

        /// <summary>A thread that sends a pose at 30 Hz, as a game goes on whatever the server does.</summary>
        private sealed class Player : IDisposable
        {
            private readonly Thread _thread;
            private volatile bool _stopped;
            private long _number;

            internal Player(AvatarTrack track)
            {
                _thread = new Thread(() => Play(track));
                _thread.Start();
            }

            internal ulong ForecastNumber => (ulong)Interlocked.Read(ref _number);

            internal Exception Problem { get; private set; }

            public void Dispose()
            {
                _stopped = true;
                _thread.Join();
            }

            private void Play(AvatarTrack track)
            {
                float[] pose = TestBody.In(PoseAxes.Unity);
                try
                {
                    while (!_stopped)
                    {
                        track.Send(PoseClock.NowUs, pose);
                        Interlocked.Exchange(ref _number, (long)track.ForecastNumber);
                        Thread.Sleep(33);
                    }
                }
                catch (Exception error)
                {
                    Problem = error;
                }
            }
        }
    }
}
