// SPDX-License-Identifier: Apache-2.0

using System.Collections.Generic;
using NUnit.Framework;
using UnityEngine;

namespace PoseBridge.Tests
{
    /// <summary>Parts that need Unity itself; run them in the Test Runner's edit mode.</summary>
    [TestFixture]
    public sealed class EngineTests
    {
        private GameObject _holder;

        [SetUp]
        public void MakeObject()
        {
            _holder = new GameObject("PoseBridge test");
        }

        [TearDown]
        public void DestroyObject()
        {
            Object.DestroyImmediate(_holder);
        }

        [Test]
        public void JointNamesAreThoseOfHumanBodyBones()
        {
            for (int joint = 0; joint < HumanoidPose.JointCount; joint++)
            {
                HumanoidJoint named = (HumanoidJoint)joint;
                Assert.That(PredictedPoseDriver.BodyBone(named).ToString(), Is.EqualTo(named.ToString()));
            }
        }

        [Test]
        public void MoreProbableFuturesAreMoreOpaqueAndLaterOnesLess()
        {
            Assert.That(FutureGhosts.Alpha(0.6f, 0.5f, 1), Is.GreaterThan(FutureGhosts.Alpha(0.3f, 0.5f, 1)));
            Assert.That(FutureGhosts.Alpha(0.6f, 1f, 1), Is.LessThan(FutureGhosts.Alpha(0.6f, 0.5f, 1)));
            Assert.That(FutureGhosts.Alpha(1, 0, 4), Is.EqualTo(1f));
        }

        [Test]
        public void LandmarksOfAnyTypeAreTaken()
        {
            MediaPipeLandmarkSource source = _holder.AddComponent<MediaPipeLandmarkSource>();
            List<float[]> landmarks = new List<float[]>();
            for (int i = 0; i < MediaPipePose.LandmarkCount; i++)
            {
                landmarks.Add(new[] { i, -i, 2f * i });
            }
            source.Push(landmarks, ReadArray, 40000);
            source.Push(landmarks, ReadArray, 40000);
            source.Push<float[]>(null, ReadArray, 80000);
            PoseFrame frame = new PoseFrame(MediaPipePose.LandmarkCount);
            Assert.That(source.TryRead(frame), Is.True);
            Assert.That(frame.TimestampUs, Is.EqualTo(40000ul));
            Assert.That(frame.Detected, Is.True);
            Assert.That(frame.Axes, Is.EqualTo(PoseAxes.MediaPipe));
            Assert.That(frame.Landmarks[4 * 7 + 1], Is.EqualTo(-7f));
            Assert.That(frame.Landmarks[4 * 7 + 3], Is.EqualTo(1f));
            // The repeated time stamp was left out.
            Assert.That(source.TryRead(frame), Is.True);
            Assert.That(frame.TimestampUs, Is.EqualTo(80000ul));
            Assert.That(frame.Detected, Is.False);
            Assert.That(source.TryRead(frame), Is.False);
        }

        [Test]
        public void WrongNumberOfLandmarksIsNamed()
        {
            MediaPipeLandmarkSource source = _holder.AddComponent<MediaPipeLandmarkSource>();
            PoseBridgeArgumentException error =
                Assert.Throws<PoseBridgeArgumentException>(() => source.Push(new float[12], 1));
            Assert.That(error.Field, Is.EqualTo("landmarks"));
        }

        private static void ReadArray(float[] landmark, out float x, out float y, out float z, out float visibility)
        {
            x = landmark[0];
            y = landmark[1];
            z = landmark[2];
            visibility = 1;
        }
    }
}
