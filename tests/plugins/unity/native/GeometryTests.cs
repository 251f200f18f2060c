// SPDX-License-Identifier: Apache-2.0

using System;
using NUnit.Framework;

namespace PoseBridge.Tests
{
    [TestFixture]
    public sealed class GeometryTests
    {
        private static readonly PoseAxes[] AllAxes = { PoseAxes.MediaPipe, PoseAxes.Unity, PoseAxes.Unreal };

        [Test]
        public void ManagedAndNativeConversionAgree()
        {
            float[] landmarks = TestBody.Asymmetric();
            float[] points = Points(landmarks);
            foreach (PoseAxes to in AllAxes)
            {
                float[] convertedLandmarks = new float[landmarks.Length];
                float[] convertedPoints = new float[points.Length];
                AxesConversion.ConvertLandmarks(PoseAxes.MediaPipe, to, landmarks, convertedLandmarks, 33);
                AxesConversion.ConvertPoints(PoseAxes.MediaPipe, to, points, convertedPoints, 33);
                Assert.That(convertedPoints, Is.EqualTo(Points(convertedLandmarks)).Within(1e-5f), to.ToString());
                AxesConversion.ConvertPoints(to, PoseAxes.MediaPipe, convertedPoints, convertedPoints, 33);
                Assert.That(convertedPoints, Is.EqualTo(points).Within(1e-6f), "back from " + to);
            }
            PoseBridgeArgumentException error = Assert.Throws<PoseBridgeArgumentException>(
                () => AxesConversion.ConvertPoints((PoseAxes)9, PoseAxes.Unity, points, points, 33));
            Assert.That(error.Field, Is.EqualTo("axes"));
        }

        [Test]
        public void SameBodyInAnyAxesGivesTheSameForecast()
        {
            PosePoint[] noses = new PosePoint[3];
            for (int i = 0; i < 3; i++)
            {
                using (PoseBridgeClient client = TestBody.Connect(SharedServer.Endpoint, AllAxes[i]))
                {
                    AvatarTrack track = client.AddAvatar("axes");
                    TestBody.SendUntilForecast(track, TestBody.In(AllAxes[i]));
                    PoseSnapshot pose = new PoseSnapshot(33);
                    BorrowedForecast forecast;
                    Assert.That(track.TryBorrowForecast(out forecast), Is.True);
                    using (forecast)
                    {
                        Assert.That(track.TryGetPose(forecast.BasedOnTimestampUs, 0, pose), Is.True);
                        float[] expected = Points(TestBody.In(AllAxes[i]));
                        float tolerance = AllAxes[i] == PoseAxes.Unreal ? 0.2f : 0.002f;
                        Assert.That(pose.Positions, Is.EqualTo(expected).Within(tolerance), AllAxes[i].ToString());
                        noses[i] = AxesConversion.Convert(AllAxes[i], PoseAxes.MediaPipe, forecast.Position(0, 0, 0));
                    }
                }
            }
            for (int i = 1; i < 3; i++)
            {
                // The body sways while time goes on, hence a tolerance; up, which nothing may change, is checked closely.
                Assert.That(noses[i].Y, Is.EqualTo(noses[0].Y).Within(0.02), AllAxes[i].ToString());
                Assert.That(noses[0].Y, Is.LessThan(-0.3));
            }
        }

        [Test]
        public void BodyInTheRestPoseHasNoRotation()
        {
            JointRotation[] global = new JointRotation[HumanoidPose.JointCount];
            JointRotation[] local = new JointRotation[HumanoidPose.JointCount];
            Assert.That(HumanoidPose.TryComputeRotations(PoseAxes.Unity, RestPose(), local, global), Is.True);
            foreach (HumanoidJoint joint in new[]
            {
                HumanoidJoint.Hips, HumanoidJoint.Spine, HumanoidJoint.Chest, HumanoidJoint.LeftUpperArm,
                HumanoidJoint.LeftLowerArm, HumanoidJoint.RightUpperArm, HumanoidJoint.RightLowerArm, HumanoidJoint.LeftUpperLeg,
                HumanoidJoint.LeftLowerLeg, HumanoidJoint.RightUpperLeg, HumanoidJoint.RightLowerLeg,
            })
            {
                Assert.That(DegreesFromIdentity(global[(int)joint]), Is.LessThan(5), joint + " in the world");
                Assert.That(DegreesFromIdentity(local[(int)joint]), Is.LessThan(5), joint + " to its parent");
            }
        }

        [Test]
        public void RaisedLeftArmTurnsTheLeftArmOnly()
        {
            float[] pose = RestPose();
            // Elbow and wrist straight up from the left shoulder.
            Set(pose, 13, -0.18f, 0.80f, 0);
            Set(pose, 15, -0.18f, 1.05f, 0);
            foreach (int hand in new[] { 17, 19, 21 })
            {
                Set(pose, hand, -0.18f, 1.15f, 0);
            }
            JointRotation[] global = new JointRotation[HumanoidPose.JointCount];
            Assert.That(HumanoidPose.TryComputeRotations(PoseAxes.Unity, pose, null, global), Is.True);
            JointRotation arm = global[(int)HumanoidJoint.LeftUpperArm];
            Assert.That(DegreesFromIdentity(arm), Is.EqualTo(90).Within(3));
            Assert.That(DegreesFromIdentity(global[(int)HumanoidJoint.RightUpperArm]), Is.LessThan(5));
            // (-1, 0, 0) turned by the rotation is up: check q * v * q^-1 by its formula.
            double y = -2 * (arm.X * arm.Y + arm.W * arm.Z);
            Assert.That(y, Is.EqualTo(1).Within(0.02));
        }

        [Test]
        public void BodyWithoutExtentHasNoRotations()
        {
            JointRotation[] rotations = new JointRotation[HumanoidPose.JointCount];
            Assert.That(HumanoidPose.TryComputeRotations(PoseAxes.Unity, new float[99], rotations, null), Is.False);
            float[] broken = RestPose();
            broken[3 * 11] = float.NaN;
            Assert.That(HumanoidPose.TryComputeRotations(PoseAxes.Unity, broken, rotations, null), Is.False);
        }

        [Test]
        public void JointsAreNamedAndOrderedAsInTheLibrary()
        {
            foreach (HumanoidJoint joint in Enum.GetValues(typeof(HumanoidJoint)))
            {
                Assert.That(HumanoidPose.Name(joint), Is.EqualTo(joint.ToString()));
                Assert.That(HumanoidPose.Parent(joint), Is.LessThan((int)joint));
            }
            Assert.That(HumanoidPose.Parent(HumanoidJoint.Hips), Is.EqualTo(-1));
            Assert.That(HumanoidPose.Parent(HumanoidJoint.RightFoot), Is.EqualTo((int)HumanoidJoint.RightLowerLeg));
        }

        /// <summary>Upright, arms out, facing +z, in Unity's axes: the body's left is at -x.</summary>
        private static float[] RestPose()
        {
            float[] pose = new float[99];
            for (int j = 0; j <= 10; j++)
            {
                Set(pose, j, 0, 0.68f, 0.10f);
            }
            Set(pose, 0, 0, 0.66f, 0.14f);
            Set(pose, 7, -0.07f, 0.68f, 0);
            Set(pose, 8, 0.07f, 0.68f, 0);
            Set(pose, 2, -0.03f, 0.70f, 0.11f);
            Set(pose, 5, 0.03f, 0.70f, 0.11f);
            for (int side = 0; side < 2; side++)
            {
                float x = side == 0 ? -1 : 1;
                Set(pose, 11 + side, 0.18f * x, 0.5f, 0);
                Set(pose, 13 + side, 0.45f * x, 0.5f, 0);
                Set(pose, 15 + side, 0.70f * x, 0.5f, 0);
                Set(pose, 17 + side, 0.78f * x, 0.5f, -0.03f);
                Set(pose, 19 + side, 0.79f * x, 0.5f, 0.02f);
                Set(pose, 21 + side, 0.74f * x, 0.5f, 0.04f);
                Set(pose, 23 + side, 0.1f * x, 0, 0);
                Set(pose, 25 + side, 0.1f * x, -0.42f, 0);
                Set(pose, 27 + side, 0.1f * x, -0.84f, 0);
                Set(pose, 29 + side, 0.1f * x, -0.90f, -0.04f);
                Set(pose, 31 + side, 0.1f * x, -0.90f, 0.15f);
            }
            return pose;
        }

        private static void Set(float[] pose, int landmark, float x, float y, float z)
        {
            pose[3 * landmark] = x;
            pose[3 * landmark + 1] = y;
            pose[3 * landmark + 2] = z;
        }

        private static float[] Points(float[] landmarks)
        {
            float[] points = new float[landmarks.Length / 4 * 3];
            for (int j = 0; j < landmarks.Length / 4; j++)
            {
                Array.Copy(landmarks, 4 * j, points, 3 * j, 3);
            }
            return points;
        }

        private static double DegreesFromIdentity(JointRotation rotation)
        {
            double length = rotation.X * rotation.X + rotation.Y * rotation.Y + rotation.Z * rotation.Z + rotation.W * rotation.W;
            Assert.That(length, Is.EqualTo(1).Within(1e-4));
            return 2 * Math.Acos(Math.Min(1, Math.Abs(rotation.W))) * 180 / Math.PI;
        }
    }
}
