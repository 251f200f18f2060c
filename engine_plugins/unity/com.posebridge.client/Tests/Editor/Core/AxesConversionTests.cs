// SPDX-License-Identifier: Apache-2.0

using NUnit.Framework;

namespace PoseBridge.Tests
{
    /// <summary>On points of which no two coordinates are alike, so that no swap or sign goes unseen.</summary>
    [TestFixture]
    public sealed class AxesConversionTests
    {
        private static readonly float[] MediaPipe = { 0.1f, -0.7f, 0.4f, 0.9f, -0.2f, 0.5f, -0.3f, 0.8f };
        private static readonly float[] Unity = { 0.1f, 0.7f, 0.4f, 0.9f, -0.2f, -0.5f, -0.3f, 0.8f };
        private static readonly float[] Unreal = { 40f, 10f, 70f, 0.9f, -30f, -20f, -50f, 0.8f };

        [TestCase(PoseAxes.MediaPipe)]
        [TestCase(PoseAxes.Unity)]
        [TestCase(PoseAxes.Unreal)]
        public void LandmarksOfAnyAxesBecomeThoseOfAnyOther(PoseAxes from)
        {
            foreach (PoseAxes to in new[] { PoseAxes.MediaPipe, PoseAxes.Unity, PoseAxes.Unreal })
            {
                float[] converted = new float[8];
                AxesConversion.ConvertLandmarks(from, to, In(from), converted, 2);
                Assert.That(converted, Is.EqualTo(In(to)).Within(1e-5f), from + " to " + to);
            }
        }

        [Test]
        public void SourceMayBeTheTarget()
        {
            float[] numbers = (float[])MediaPipe.Clone();
            AxesConversion.ConvertLandmarks(PoseAxes.MediaPipe, PoseAxes.Unreal, numbers, numbers, 2);
            Assert.That(numbers, Is.EqualTo(Unreal).Within(1e-5f));
        }

        [Test]
        public void WrongArgumentsAreNamed()
        {
            float[] two = new float[8];
            Expect("source", () => AxesConversion.ConvertLandmarks(PoseAxes.Unity, PoseAxes.Unreal, null, two, 2));
            Expect("target", () => AxesConversion.ConvertLandmarks(PoseAxes.Unity, PoseAxes.Unreal, two, new float[7], 2));
            Expect("to", () => AxesConversion.ConvertLandmarks(PoseAxes.Unity, (PoseAxes)7, two, two, 2));
            Expect("from", () => AxesConversion.ConvertLandmarks((PoseAxes)7, PoseAxes.Unity, two, two, 2));
        }

        private static float[] In(PoseAxes axes)
        {
            return axes == PoseAxes.MediaPipe ? MediaPipe : axes == PoseAxes.Unity ? Unity : Unreal;
        }

        private static void Expect(string field, TestDelegate call)
        {
            Assert.That(Assert.Throws<PoseBridgeArgumentException>(call).Field, Is.EqualTo(field));
        }
    }
}
