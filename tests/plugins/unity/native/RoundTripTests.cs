// SPDX-License-Identifier: Apache-2.0

using System;
using System.Collections.Generic;
using NUnit.Framework;

namespace PoseBridge.Tests
{
    [TestFixture]
    public sealed class RoundTripTests
    {
        [Test]
        public void ForecastHasTheShapeThatTheSessionPromises()
        {
            PoseBridgeConfig config = new PoseBridgeConfig
            {
                Endpoint = SharedServer.Endpoint, Futures = 3, HorizonMs = 500, ClientName = "shape",
            };
            using (PoseBridgeClient client = TestBody.Connect(config))
            {
                PoseBridgeSession session = client.Session;
                Assert.That(session.ProtocolVersion, Is.EqualTo(1));
                Assert.That(session.ServerVersion, Is.Not.Empty);
                Assert.That(session.SessionId, Is.Not.Empty);
                Assert.That(session.Futures, Is.EqualTo(3));
                Assert.That(session.HorizonMs, Is.EqualTo(500));
                Assert.That(session.ContextFrames, Is.GreaterThan(1));
                Assert.That(client.Session, Is.SameAs(session));
                AvatarTrack track = client.AddAvatar("shape");
                ulong timestamp = TestBody.SendUntilForecast(track, TestBody.In(PoseAxes.Unity));
                BorrowedForecast forecast;
                Assert.That(track.TryBorrowForecast(out forecast), Is.True);
                using (forecast)
                {
                    Assert.That(forecast.Futures, Is.EqualTo(3));
                    Assert.That(forecast.Landmarks, Is.EqualTo(33));
                    Assert.That(forecast.Steps * forecast.StepUs, Is.EqualTo(500000).Within(forecast.Steps));
                    Assert.That(forecast.BasedOnTimestampUs, Is.LessThanOrEqualTo(timestamp).And.GreaterThan(timestamp - 1000000));
                    Assert.That(forecast.BasedOnSequence, Is.LessThanOrEqualTo(track.LastSequence));
                    Assert.That(forecast.HasRoots, Is.False);
                    float sum = 0;
                    for (int k = 0; k < 3; k++)
                    {
                        sum += forecast.Probability(k);
                        Assert.That(forecast.Probability(k), Is.GreaterThan(0f));
                        Assert.That(k == 0 || forecast.Probability(k) <= forecast.Probability(k - 1));
                    }
                    Assert.That(sum, Is.EqualTo(1f).Within(1e-4f));
                    // Up is up: the nose is above the feet in Unity's axes.
                    Assert.That(forecast.Position(0, 0, 0).Y, Is.GreaterThan(forecast.Position(0, 0, 31).Y + 0.5));
                    Assert.That(forecast.Spread(0, 0), Is.GreaterThanOrEqualTo(0f));
                }
            }
        }

        [Test]
        public void CopyIsTheBorrowedForecast()
        {
            using (PoseBridgeClient client = TestBody.Connect(SharedServer.Endpoint))
            {
                AvatarTrack track = client.AddAvatar("copy");
                PosePoint root = new PosePoint(1, 2, 3);
                ForecastCopy copy = new ForecastCopy();
                Assert.That(track.TryCopyForecast(copy), Is.False);
                TestBody.SendUntilForecast(track, TestBody.In(PoseAxes.Unity), 1, root);
                BorrowedForecast forecast;
                Assert.That(track.TryBorrowForecast(out forecast), Is.True);
                using (forecast)
                {
                    copy.CopyFrom(forecast);
                    Assert.That(copy.Number, Is.EqualTo(forecast.Number));
                    Assert.That(copy.HasRoots, Is.True);
                    for (int k = 0; k < copy.Futures; k++)
                    {
                        Assert.That(copy.Probabilities[k], Is.EqualTo(forecast.Probability(k)));
                        Assert.That(copy.ModeId(k), Is.EqualTo(forecast.ModeId(k)));
                        PosePoint place = forecast.Root(k, 2);
                        Assert.That(copy.Roots[3 * (k * copy.Steps + 2) + 1], Is.EqualTo((float)place.Y));
                        // The null engine leaves the root where the newest frame has it; on the way it is a half-precision number.
                        Assert.That(place.X, Is.EqualTo(1).Within(0.01));
                        Assert.That(place.Y, Is.EqualTo(2).Within(0.01));
                        Assert.That(place.Z, Is.EqualTo(3).Within(0.01));
                        for (int h = 0; h < copy.Steps; h++)
                        {
                            for (int j = 0; j < copy.Landmarks; j++)
                            {
                                PosePoint point = forecast.Position(k, h, j);
                                int at = copy.PositionIndex(k, h, j);
                                Assert.That(copy.Positions[at] == (float)point.X && copy.Positions[at + 2] == (float)point.Z);
                            }
                        }
                    }
                }
            }
        }

        [Test]
        public void FramesOfAnyAxesAreConverted()
        {
            using (PoseBridgeClient client = TestBody.Connect(SharedServer.Endpoint))
            {
                AvatarTrack track = client.AddAvatar("frames");
                PoseFrame frame = new PoseFrame(33) { Axes = PoseAxes.MediaPipe, Detected = true };
                float[] landmarks = TestBody.Asymmetric();
                landmarks.CopyTo(frame.Landmarks, 0);
                frame.TimestampUs = PoseClock.NowUs;
                Assert.That(track.Send(frame), Is.EqualTo(SendResult.Accepted));
                // The frame itself is left as it was.
                Assert.That(frame.Landmarks, Is.EqualTo(landmarks));
                frame.Detected = false;
                frame.TimestampUs += 33333;
                Assert.That(track.Send(frame), Is.EqualTo(SendResult.Accepted));
                TestBody.Until(() => client.Stats.FramesSent == 2, "two frames to be sent");
                Assert.That(client.Stats.FrameErrors, Is.EqualTo(0ul));
            }
        }

        [Test]
        public void ManyAvatarsEachGetTheirOwn()
        {
            using (PoseBridgeClient client = TestBody.Connect(SharedServer.Endpoint))
            {
                List<AvatarTrack> tracks = new List<AvatarTrack>();
                for (int i = 0; i < 8; i++)
                {
                    tracks.Add(client.AddAvatar("body" + i));
                }
                Assert.That(client.AddAvatar("body3"), Is.SameAs(tracks[3]));
                float[] pose = TestBody.In(PoseAxes.Unity);
                TestBody.Until(
                    () =>
                    {
                        foreach (AvatarTrack track in tracks)
                        {
                            track.Send(PoseClock.NowUs, pose);
                        }
                        System.Threading.Thread.Sleep(28);
                        return tracks.TrueForAll(track => track.ForecastNumber > 0);
                    },
                    "forecasts of all avatars");
                PoseBridgeStats stats = client.Stats;
                Assert.That(stats.Forecasts, Is.GreaterThanOrEqualTo(8ul));
                Assert.That(stats.LatencyUs, Is.GreaterThan(0ul).And.LessThan(1000000ul));
                Assert.That(stats.FramesDropped, Is.EqualTo(0ul));
            }
        }

        [Test]
        public void BorrowedForecastsAreCountedAndCannotBeReadAfterwards()
        {
            using (PoseBridgeClient client = TestBody.Connect(SharedServer.Endpoint))
            {
                AvatarTrack track = client.AddAvatar("borrow");
                TestBody.SendUntilForecast(track, TestBody.In(PoseAxes.Unity));
                BorrowedForecast[] held = new BorrowedForecast[AvatarTrack.MaxBorrowed];
                for (int i = 0; i < held.Length; i++)
                {
                    Assert.That(track.TryBorrowForecast(out held[i]), Is.True);
                }
                BorrowedForecast another;
                Assert.Throws<PoseBridgePreconditionException>(() => track.TryBorrowForecast(out another));
                held[1].Dispose();
                held[1].Dispose();
                Assert.That(held[1].IsValid, Is.False);
                Assert.Throws<ObjectDisposedException>(() => held[1].Probability(0));
                Assert.That(held[0].Probability(0), Is.GreaterThan(0f));
                Assert.That(track.TryBorrowForecast(out held[1]), Is.True);
                foreach (BorrowedForecast forecast in held)
                {
                    forecast.Dispose();
                }
            }
        }

        [Test]
        public void PoseReachesFromTheObservedOneToTheFutures()
        {
            PoseBridgeConfig config = new PoseBridgeConfig { Endpoint = SharedServer.Endpoint, ClientName = "pose", BlendMs = 1 };
            using (PoseBridgeClient client = TestBody.Connect(config))
            {
                AvatarTrack track = client.AddAvatar("pose");
                PoseSnapshot pose = new PoseSnapshot(33);
                Assert.That(track.TryGetPose(PoseClock.NowUs, 0, pose), Is.False);
                float[] observed = TestBody.In(PoseAxes.Unity);
                TestBody.SendUntilForecast(track, observed);
                BorrowedForecast forecast;
                Assert.That(track.TryBorrowForecast(out forecast), Is.True);
                using (forecast)
                {
                    ulong start = forecast.BasedOnTimestampUs;
                    Assert.That(track.TryGetPose(start, 0, pose), Is.True);
                    Assert.That(pose.ForecastNumber, Is.EqualTo(forecast.Number));
                    Assert.That(pose.AheadUs, Is.EqualTo(0));
                    for (int j = 0; j < 33; j++)
                    {
                        for (int c = 0; c < 3; c++)
                        {
                            Assert.That(pose.Positions[3 * j + c], Is.EqualTo(observed[4 * j + c]).Within(2e-3f), "landmark " + j);
                        }
                    }
                    const int Step = 4;
                    ulong time = start + (Step + 1) * forecast.StepUs;
                    for (int k = 0; k < forecast.Futures; k++)
                    {
                        Assert.That(track.TryGetPose(time, k, pose), Is.True);
                        Assert.That(pose.Probability, Is.EqualTo(forecast.Probability(k)));
                        Assert.That(pose.ModeId, Is.EqualTo(forecast.ModeId(k)));
                        Assert.That(pose.Positions[1], Is.EqualTo((float)forecast.Position(k, Step, 0).Y).Within(1e-3f));
                    }
                    Assert.That(track.TryGetPose(time, AvatarTrack.MeanFuture, pose), Is.True);
                    Assert.That(pose.Probability, Is.EqualTo(1f).Within(1e-4f));
                }
                JointRotation[] rotations = new JointRotation[HumanoidPose.JointCount];
                Assert.That(track.TryGetJointRotations(pose, rotations, null), Is.True);
            }
        }

        [Test]
        public void NoAlertIsNoAlert()
        {
            using (PoseBridgeClient client = TestBody.Connect(SharedServer.Endpoint))
            {
                PoseAlert alert;
                Assert.That(client.TryPollAlert(out alert), Is.False);
                Assert.That(alert, Is.Null);
            }
        }
    }
}
