// SPDX-License-Identifier: Apache-2.0

using System;
using NUnit.Framework;

namespace PoseBridge.Tests
{
    [TestFixture]
    public sealed class ErrorTests
    {
        [Test]
        public void LoadedLibraryGoesWithThePackage()
        {
            Assert.That(PoseBridgeVersion.LoadedLibrary, Is.EqualTo(PoseBridgeVersion.ExpectedLibrary));
            Assert.DoesNotThrow(PoseBridgeVersion.Check);
        }

        [Test]
        public void WrongSettingsAreNamed()
        {
            Expect("config.endpoint", new PoseBridgeConfig());
            Expect("config.endpoint", new PoseBridgeConfig { Endpoint = "not an address" });
            Expect("config.endpoint", new PoseBridgeConfig { Endpoint = "tcp://127.0.0.1:1\0" });
            Expect("config.client_name", new PoseBridgeConfig { Endpoint = SharedServer.Endpoint, ClientName = "two words" });
            Expect("config.horizon_ms", new PoseBridgeConfig { Endpoint = SharedServer.Endpoint, HorizonMs = -1 });
            Expect("config.max_avatars", new PoseBridgeConfig { Endpoint = SharedServer.Endpoint, MaxAvatars = 2000 });
            Expect("config", (PoseBridgeConfig)null);
        }

        [Test]
        public void WrongFramesAreNamed()
        {
            using (PoseBridgeClient client = new PoseBridgeClient(new PoseBridgeConfig { Endpoint = SharedServer.Endpoint }))
            {
                AvatarTrack track = client.AddAvatar("wrong");
                float[] pose = TestBody.In(PoseAxes.Unity);
                PoseBridgeArgumentException error =
                    Assert.Throws<PoseBridgeArgumentException>(() => track.Send(1, new float[12]));
                Assert.That(
                    error.Message,
                    Is.EqualTo("landmarks: has 12 numbers (expected: 132 numbers: 33 landmarks of x, y, z, visibility)"));
                Expect("timestamp_us", () => track.Send(0, pose));
                Expect("landmarks", () => track.Send(1, (float[])null));
                Expect("root", () => track.Send(1, pose, new PosePoint(double.NaN, 0, 0)));
                pose[5] = float.NaN;
                Expect("landmarks", () => track.Send(1, pose));
                Expect("frame", () => track.Send(null));
                Expect("pose", () => track.TryGetPose(1, 0, new PoseSnapshot(5)));
                Expect("avatar_id", () => client.AddAvatar("two words"));
                Expect("avatar_id", () => client.AddAvatar(null));
                Assert.That(client.LastError, Is.Not.Null);
                Assert.That(client.LastError.Count, Is.EqualTo(client.ErrorCount));
            }
        }

        [Test]
        public void TooManyAvatarsAreALimit()
        {
            PoseBridgeConfig config = new PoseBridgeConfig { Endpoint = SharedServer.Endpoint, MaxAvatars = 1 };
            using (PoseBridgeClient client = new PoseBridgeClient(config))
            {
                client.AddAvatar("one");
                Assert.Throws<PoseBridgeExhaustedException>(() => client.AddAvatar("two"));
            }
        }

        [Test]
        public void ConnectingTwiceIsRefused()
        {
            using (PoseBridgeClient client = TestBody.Connect(SharedServer.Endpoint))
            {
                Assert.Throws<PoseBridgePreconditionException>(client.Connect);
            }
        }

        [Test]
        public void LayoutThatTheServerDoesNotServeIsRefusedWithAReason()
        {
            PoseBridgeConfig config = new PoseBridgeConfig
            {
                Endpoint = SharedServer.Endpoint, LayoutId = "nobody.has.5", Landmarks = 5,
            };
            using (PoseBridgeClient client = new PoseBridgeClient(config))
            {
                client.Connect();
                TestBody.Until(() => client.State == PoseBridgeState.Refused, "the refusal");
                PoseBridgeError error = client.LastError;
                Assert.That(error.Problem, Is.Not.Empty);
                Assert.That(error.ToString().Contains("layout"), error.ToString());
                Assert.That(client.Session, Is.Null);
            }
        }

        [Test]
        public void SettingThatOnlyTheServerCanJudgeIsRefusedWithItsName()
        {
            PoseBridgeConfig config = new PoseBridgeConfig { Endpoint = SharedServer.Endpoint, Futures = 17 };
            using (PoseBridgeClient client = new PoseBridgeClient(config))
            {
                client.Connect();
                TestBody.Until(() => client.State == PoseBridgeState.Refused, "the refusal");
                Assert.That(client.LastError.Code, Is.EqualTo(PoseBridgeErrorCode.InvalidArgument));
                Assert.That(client.LastError.ToString().Contains("futures"), client.LastError.ToString());
            }
        }

        [Test]
        public void LibraryTellsWhatItDoes()
        {
            using (PoseBridgeClient client = TestBody.Connect(SharedServer.Endpoint))
            {
                PoseLogMessage message = default(PoseLogMessage);
                TestBody.Until(() => client.TryReadLog(out message), "a log message");
                Assert.That(message.Text, Is.Not.Empty);
            }
        }

        private static void Expect(string field, PoseBridgeConfig config)
        {
            Expect(field, () => new PoseBridgeClient(config).Dispose());
        }

        private static void Expect(string field, TestDelegate call)
        {
            PoseBridgeArgumentException error = Assert.Throws<PoseBridgeArgumentException>(call);
            Assert.That(error.Field, Is.EqualTo(field), error.Message);
            Assert.That(error.Problem, Is.Not.Empty);
        }
    }
}
