// SPDX-License-Identifier: Apache-2.0

using System;
using System.Diagnostics;
using System.Threading;
using NUnit.Framework;

namespace PoseBridge.Tests
{
    /// <summary>Poses to send, and waiting for what comes back.</summary>
    internal static class TestBody
    {
        internal const ulong FrameUs = 33333;
        internal const int Landmarks = MediaPipePose.LandmarkCount;

        /// <summary>
        /// A body in no way symmetric, in MediaPipe's axes, hips in the middle; nothing moves.
        /// </summary>
        internal static float[] Asymmetric()
        {
            float[] numbers = new float[4 * Landmarks];
            for (int j = 0; j < Landmarks; j++)
            {
                numbers[4 * j] = 0.02f * j - 0.3f;
                numbers[4 * j + 1] = -0.8f + 0.045f * j;
                numbers[4 * j + 2] = 0.01f * j * j / Landmarks - 0.1f;
                numbers[4 * j + 3] = 1;
            }
            int left = 4 * MediaPipePose.LeftHip;
            int right = 4 * MediaPipePose.RightHip;
            for (int c = 0; c < 3; c++)
            {
                numbers[right + c] = -numbers[left + c];
            }
            return numbers;
        }

        internal static float[] In(PoseAxes axes)
        {
            float[] numbers = Asymmetric();
            AxesConversion.ConvertLandmarks(PoseAxes.MediaPipe, axes, numbers, numbers, Landmarks);
            return numbers;
        }

        internal static PoseBridgeClient Connect(string endpoint, PoseAxes axes = PoseAxes.Unity)
        {
            return Connect(new PoseBridgeConfig { Endpoint = endpoint, Axes = axes, ClientName = "mono" });
        }

        internal static PoseBridgeClient Connect(PoseBridgeConfig config)
        {
            PoseBridgeClient client = new PoseBridgeClient(config);
            client.Connect();
            Until(() => client.State == PoseBridgeState.Ready, "the session to be accepted");
            return client;
        }

        /// <summary>Send the same pose at 30 Hz until there are so many forecasts; return the newest frame's time.</summary>
        internal static ulong SendUntilForecast(AvatarTrack track, float[] landmarks, ulong number = 1, PosePoint? root = null)
        {
            Stopwatch watch = Stopwatch.StartNew();
            ulong timestamp = 0;
            while (track.ForecastNumber < number)
            {
                Assert.That(watch.ElapsedMilliseconds, Is.LessThan(20000), "no forecast came");
                timestamp = PoseClock.NowUs;
                if (root == null)
                {
                    track.Send(timestamp, landmarks);
                }
                else
                {
                    track.Send(timestamp, landmarks, root.Value);
                }
                Thread.Sleep(33);
            }
            return timestamp;
        }

        internal static void Until(Func<bool> holds, string what, int timeoutMs = 20000)
        {
            Stopwatch watch = Stopwatch.StartNew();
            while (!holds())
            {
                Assert.That(watch.ElapsedMilliseconds, Is.LessThan(timeoutMs), "waited in vain for " + what);
                Thread.Sleep(5);
            }
        }
    }
}
