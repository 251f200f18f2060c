// SPDX-License-Identifier: Apache-2.0

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Threading;
using NUnit.Framework;
using PoseBridge.Samples;
using PoseBridge.Tests.Fakes;
using UnityEngine;

namespace PoseBridge.Tests
{
    /// <summary>The components in a stand-in for Unity's player loop, against a real server.</summary>
    [TestFixture]
    public sealed class ComponentTests
    {
        private const int ForecastTimeoutMs = 20000;

        [SetUp]
        [TearDown]
        public void Reset()
        {
            FakePlayer.Reset();
        }

        [Test]
        public void SampleSceneShowsGhostsWhoseOpacityFollowsTheirProbability()
        {
            MakeSample();
            FutureGhosts ghosts = null;
            PlayUntil(() => FakePlayer.Drawings.Count > 0, "ghosts");
            ghosts = Find<FutureGhosts>();
            Play(10);
            Drawing drawing = FakePlayer.Drawings.Single();
            int skeleton = 2 * MediaPipePose.BoneCount;
            // First the body itself, then four skeletons of each of the five futures.
            Assert.That(drawing.Vertices.Length, Is.EqualTo(21 * skeleton));
            int[] alphas = Enumerable.Range(0, 21).Select(i => (int)drawing.Colors[i * skeleton].a).ToArray();
            Assert.That(alphas[0], Is.EqualTo(255));
            PoseSnapshot pose = new PoseSnapshot(33);
            for (int k = 0; k < 5; k++)
            {
                Assert.That(ghosts.Avatar.TryGetPose(250, k, pose), Is.True);
                int expected = (int)(255 * FutureGhosts.Alpha(pose.Probability, 0.25f, 1));
                Assert.That(alphas[1 + 4 * k], Is.EqualTo(expected).Within(3), "future " + k);
                Assert.That(alphas[4 + 4 * k], Is.LessThan(alphas[1 + 4 * k]), "later is fainter");
            }
            FakePlayer.SetField(ghosts, "_times", 2);
            Play(1);
            Assert.That(FakePlayer.Drawings.Single().Vertices.Length, Is.EqualTo(11 * skeleton));
            // The null engine's body stands: its nose is above its feet.
            Assert.That(drawing.Vertices[skeleton].y, Is.GreaterThan(drawing.Vertices[2 * skeleton - 1].y + 0.5f));
            Assert.That(Problems(), Is.Empty);
        }

        [Test]
        public void SecondConnectionOfASceneStaysOff()
        {
            PoseBridgeConnection first = MakeConnection();
            PoseBridgeConnection second = MakeConnection();
            Assert.That(first.Client, Is.Not.Null);
            Assert.That(second.enabled, Is.False);
            Assert.That(second.Client, Is.Null);
            Assert.That(PoseBridgeConnection.For(second.gameObject), Is.SameAs(first));
            Assert.That(Problems().Single(), Is.StringContaining("has a connection already"));
        }

        [Test]
        public void AvatarFollowsAConnectionThatComesLaterAndGoesOnAfterItWasMadeAnew()
        {
            PoseBridgeAvatar avatar = MakeWalker();
            Play(3);
            Assert.That(avatar.Track, Is.Null);
            Assert.That(avatar.FutureCount, Is.EqualTo(0));
            PoseBridgeConnection connection = MakeConnection();
            List<PoseBridgeState> states = new List<PoseBridgeState>();
            connection.StateChanged += states.Add;
            PlayUntil(() => avatar.FutureCount > 0, "a forecast");
            connection.enabled = false;
            Assert.That(avatar.Track, Is.Null);
            Assert.That(avatar.TryGetPose(0, 0, new PoseSnapshot(33)), Is.False);
            Play(3);
            Assert.That(avatar.FutureCount, Is.EqualTo(0));
            connection.enabled = true;
            PlayUntil(() => avatar.FutureCount > 0, "a forecast from the second client");
            Assert.That(states.Where(state => state != PoseBridgeState.Connecting), Is.EqualTo(new[]
            {
                PoseBridgeState.Ready, PoseBridgeState.Disconnected, PoseBridgeState.Ready,
            }));
            Assert.That(Problems(), Is.Empty);
        }

        [Test]
        public void StopAllEndsEveryClientAsBeforeAReload()
        {
            PoseBridgeConnection connection = MakeConnection();
            PoseBridgeClient client = connection.Client;
            PoseBridgeConnection.StopAll();
            Assert.That(client.IsDisposed, Is.True);
            Assert.That(connection.State, Is.EqualTo(PoseBridgeState.Disconnected));
            Assert.DoesNotThrow(() => Play(2));
            connection.enabled = false;
            connection.enabled = true;
            Assert.That(connection.Client, Is.Not.Null);
        }

        [Test]
        public void ForecastsAreHandedOverAndGivenBack()
        {
            MakeConnection();
            PoseBridgeAvatar avatar = MakeWalker();
            List<ulong> numbers = new List<ulong>();
            BorrowedForecast last = default(BorrowedForecast);
            avatar.ForecastReceived += (body, forecast) =>
            {
                Assert.That(body, Is.SameAs(avatar));
                numbers.Add(forecast.Number);
                last = forecast;
            };
            PlayUntil(() => numbers.Count >= 5, "five forecasts");
            Assert.That(numbers, Is.Ordered);
            Assert.That(numbers.Distinct().Count(), Is.EqualTo(numbers.Count));
            Assert.That(last.IsValid, Is.False);
        }

        [Test]
        public void LandmarksFromATrackersThreadAreFollowed()
        {
            MakeConnection();
            GameObject body = new GameObject("live");
            MediaPipeLandmarkSource source = body.AddComponent<MediaPipeLandmarkSource>();
            PoseBridgeAvatar avatar = body.AddComponent<PoseBridgeAvatar>();
            float[] landmarks = TestBody.Asymmetric();
            bool stopped = false;
            Thread tracker = new Thread(() =>
            {
                // A clock of its own, in milliseconds from 0, as trackers have it.
                for (ulong ms = 0; !Volatile.Read(ref stopped); ms += 33)
                {
                    source.Push(landmarks, 1000 * ms);
                    Thread.Sleep(33);
                }
            });
            tracker.Start();
            try
            {
                PlayUntil(() => avatar.FutureCount > 0, "a forecast");
                PoseSnapshot pose = new PoseSnapshot(33);
                Assert.That(avatar.TryGetPose(200, 0, pose), Is.True);
                Assert.That(pose.AheadUs, Is.GreaterThan(0).And.LessThan(5000000));
            }
            finally
            {
                Volatile.Write(ref stopped, true);
                tracker.Join();
            }
            Assert.That(Problems(), Is.Empty);
        }

        [Test]
        public void TrackerThatIsStartedAgainIsFollowed()
        {
            MediaPipeLandmarkSource source = new GameObject("tracker").AddComponent<MediaPipeLandmarkSource>();
            float[] landmarks = TestBody.Asymmetric();
            PoseFrame frame = new PoseFrame(33);
            List<ulong> read = new List<ulong>();
            foreach (ulong timestampUs in new ulong[] { 0, 9000000, 9000000, 8990000, 0, 33000, 66000 })
            {
                source.Push(landmarks, timestampUs);
                while (source.TryRead(frame))
                {
                    read.Add(frame.TimestampUs);
                }
            }
            Assert.That(read, Is.EqualTo(new ulong[] { 9000000, 33000, 66000 }));
        }

        [Test]
        public void DriverTurnsEachBoneFromItsOwnRestRotation()
        {
            MakeConnection();
            PoseBridgeAvatar avatar = MakeWalker();
            avatar.transform.rotation = About(new Vector3(0, 1, 0), 70);
            Animator animator = MakeCharacter();
            PredictedPoseDriver driver = animator.gameObject.AddComponent<PredictedPoseDriver>();
            // It found no avatar on its own object and said so; it is told.
            Assert.That(driver.enabled, Is.False);
            Assert.That(Problems().Single(), Is.StringContaining("avatar"));
            FakePlayer.SetField(driver, "_avatar", avatar);
            // Far enough ahead that the null engine's body only sways: it hardly moves between two calls.
            driver.LatencyMs = 500;
            driver.enabled = true;
            PlayUntil(() => avatar.FutureCount > 0, "a forecast");
            Play(5);
            FakePlayer.Frame();
            PoseSnapshot pose = new PoseSnapshot(33);
            JointRotation[] rotations = new JointRotation[HumanoidPose.JointCount];
            Assert.That(avatar.TryGetPose(500, 0, pose), Is.True);
            Assert.That(avatar.Track.TryGetJointRotations(pose, null, rotations), Is.True);
            for (int joint = 0; joint < HumanoidPose.JointCount; joint++)
            {
                HumanBodyBones bone = PredictedPoseDriver.BodyBone((HumanoidJoint)joint);
                Quaternion expected = avatar.transform.rotation * PoseVectors.ToQuaternion(rotations[joint]) * RestInWorld(bone);
                Quaternion actual = animator.GetBoneTransform(bone).rotation;
                Assert.That(DegreesBetween(actual, expected), Is.LessThan(2), bone.ToString());
            }
        }

        [Test]
        public void SourceOfAnotherLayoutIsRefusedOnce()
        {
            MakeConnection();
            GameObject body = new GameObject("three");
            body.SetActive(false);
            RecordedPoseSource source = body.AddComponent<RecordedPoseSource>();
            source.Play(new PoseRecording(TestClips.Make(5, false)));
            PoseBridgeAvatar avatar = body.AddComponent<PoseBridgeAvatar>();
            body.SetActive(true);
            Play(5);
            Assert.That(avatar.Track, Is.Null);
            Assert.That(
                Problems().Single(),
                Is.EqualTo("PoseBridge: source: delivers 3 landmarks of test.three (expected: 33 of mediapipe.pose.33, as the "
                    + "connection says)"));
        }

        [Test]
        public void WrongSettingsAreToldAndNothingIsThrown()
        {
            MakeConnection("nowhere");
            MakeWalker();
            Assert.DoesNotThrow(() => Play(3));
            Assert.That(Problems().Single(), Is.StringContaining("config.endpoint"));
        }

        [Test]
        public void AlertsReachTheAvatarThatTheyAreAbout()
        {
            PoseBridgeConnection connection = MakeConnection();
            PoseBridgeAvatar avatar = MakeWalker();
            Play(2);
            int told = 0;
            avatar.AlertChanged += (body, alert) => told++;
            PoseBridgeAvatar.Deliver(connection, MakeAlert("walker"));
            PoseBridgeAvatar.Deliver(connection, MakeAlert("somebody else"));
            Assert.That(told, Is.EqualTo(1));
        }

        [Test]
        public void FramesOfAGameMakeNoGarbage()
        {
            MakeSample();
            PlayUntil(() => FakePlayer.Drawings.Count > 0, "ghosts");
            Animator animator = MakeCharacter();
            PredictedPoseDriver driver = animator.gameObject.AddComponent<PredictedPoseDriver>();
            FakePlayer.SetField(driver, "_avatar", Find<PoseBridgeAvatar>());
            driver.enabled = true;
            Action[] calls =
            {
                Method(Find<PoseBridgeConnection>(), "Update"), Method(Find<PoseBridgeAvatar>(), "Update"),
                Method(Find<FutureGhosts>(), "LateUpdate"), Method(driver, "LateUpdate"),
            };
            Func<long> allocated = (Func<long>)Delegate.CreateDelegate(
                typeof(Func<long>),
                typeof(GC).GetMethod(
                    "GetAllocatedBytesForCurrentThread", BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic));
            long before = 0;
            for (int frame = 0; frame < 1500; frame++)
            {
                if (frame == 300)
                {
                    before = allocated();
                }
                FakePlayer.Drawings.Clear();
                foreach (Action call in calls)
                {
                    call();
                }
                Thread.Sleep(1);
            }
            Assert.That(allocated() - before, Is.EqualTo(0));
        }

        private static void MakeSample()
        {
            GameObject setup = new GameObject("Setup");
            GhostsScene scene = setup.AddComponent<GhostsScene>();
            FakePlayer.SetField(scene, "_clip", Clip());
            FakePlayer.SetField(scene, "_endpoint", SharedServer.Endpoint);
        }

        private static TextAsset Clip()
        {
            return new TextAsset
            {
                Content = File.ReadAllBytes(Environment.GetEnvironmentVariable("POSEBRIDGE_TEST_CLIP")),
            };
        }

        private static PoseBridgeConnection MakeConnection(string endpoint = null)
        {
            GameObject holder = new GameObject("connection");
            holder.SetActive(false);
            PoseBridgeConnection connection = holder.AddComponent<PoseBridgeConnection>();
            connection.Endpoint = endpoint ?? SharedServer.Endpoint;
            holder.SetActive(true);
            return connection;
        }

        private static PoseBridgeAvatar MakeWalker()
        {
            GameObject body = new GameObject("walker");
            body.SetActive(false);
            FakePlayer.SetField(body.AddComponent<RecordedPoseSource>(), "_clip", Clip());
            PoseBridgeAvatar avatar = body.AddComponent<PoseBridgeAvatar>();
            avatar.AvatarId = "walker";
            body.SetActive(true);
            return avatar;
        }

        /// <summary>A character whose every bone hangs directly below it and is turned in its own way in the T-pose.</summary>
        private static Animator MakeCharacter()
        {
            GameObject character = new GameObject("character");
            Animator animator = character.AddComponent<Animator>();
            List<SkeletonBone> skeleton = new List<SkeletonBone>();
            Transform hips = null;
            foreach (HumanoidJoint joint in Enum.GetValues(typeof(HumanoidJoint)))
            {
                HumanBodyBones bone = PredictedPoseDriver.BodyBone(joint);
                Transform transform = new GameObject(bone.ToString()).transform;
                transform.name = bone.ToString();
                transform.parent = hips ?? character.transform;
                hips = hips ?? transform;
                animator.Bones[bone] = transform;
                skeleton.Add(new SkeletonBone { name = transform.name, rotation = Rest(bone) });
            }
            animator.avatar = new UnityEngine.Avatar
            {
                humanDescription = new HumanDescription { skeleton = skeleton.ToArray() },
            };
            return animator;
        }

        private static Quaternion Rest(HumanBodyBones bone)
        {
            return About(new Vector3(0.6f, 0, 0.8f), 15 * (1 + (int)bone));
        }

        private static Quaternion RestInWorld(HumanBodyBones bone)
        {
            return bone == HumanBodyBones.Hips ? Rest(bone) : Rest(HumanBodyBones.Hips) * Rest(bone);
        }

        private static Quaternion About(Vector3 axis, double degrees)
        {
            double half = degrees * Math.PI / 360;
            float sine = (float)Math.Sin(half);
            return new Quaternion(axis.x * sine, axis.y * sine, axis.z * sine, (float)Math.Cos(half));
        }

        private static double DegreesBetween(Quaternion a, Quaternion b)
        {
            double dot = Math.Abs(a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w);
            return 2 * Math.Acos(Math.Min(1, dot)) * 180 / Math.PI;
        }

        private static unsafe PoseAlert MakeAlert(string avatarId)
        {
            NativeAlert native = default(NativeAlert);
            for (int i = 0; i < avatarId.Length; i++)
            {
                native.AvatarId[i] = (byte)avatarId[i];
            }
            return new PoseAlert(&native);
        }

        private static Action Method(MonoBehaviour behaviour, string name)
        {
            return (Action)Delegate.CreateDelegate(
                typeof(Action), behaviour, behaviour.GetType().GetMethod(name, BindingFlags.Instance | BindingFlags.NonPublic));
        }

        private static T Find<T>() where T : Component
        {
            return FakePlayer.All<T>().Single();
        }

        private static string[] Problems()
        {
            return FakePlayer.Console.Where(line => line.Level != "Info").Select(line => line.Text).ToArray();
        }

        private static void Play(int frames)
        {
            for (int i = 0; i < frames; i++)
            {
                FakePlayer.Frame();
                Thread.Sleep(10);
            }
        }

        private static void PlayUntil(Func<bool> holds, string what)
        {
            TestBody.Until(
                () =>
                {
                    FakePlayer.Frame();
                    return holds();
                },
                what,
                ForecastTimeoutMs);
        }
    }
}
