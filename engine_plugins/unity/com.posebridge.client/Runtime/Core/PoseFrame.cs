// SPDX-License-Identifier: Apache-2.0

using System;

namespace PoseBridge
{
    /// <summary>One observed pose, made once and filled in again and again.</summary>
    public sealed class PoseFrame
    {
        /// <param name="landmarks">Number of landmarks, J.</param>
        public PoseFrame(int landmarks)
        {
            if (landmarks < 1)
            {
                throw new PoseBridgeArgumentException("landmarks", "is " + landmarks, "1 or more");
            }
            LandmarkCount = landmarks;
            Landmarks = new float[4 * landmarks];
        }

        public int LandmarkCount { get; }

        /// <summary>Time of capture in microseconds, on any clock that does not go back; above 0.</summary>
        public ulong TimestampUs { get; set; }

        /// <summary>False: nobody was seen; the landmarks do not matter then.</summary>
        public bool Detected { get; set; }

        /// <summary>Axes and units of <see cref="Landmarks"/> and <see cref="Root"/>.</summary>
        public PoseAxes Axes { get; set; }

        /// <summary>(J, 4): x, y, z, and visibility from 0 to 1.</summary>
        public float[] Landmarks { get; }

        /// <summary>Whether <see cref="Root"/> is known. Always or never for one avatar.</summary>
        public bool HasRoot { get; set; }

        /// <summary>Where the origin of the landmarks is in your world.</summary>
        public PosePoint Root { get; set; }

        /// <summary>Set one landmark.</summary>
        public void SetLandmark(int landmark, float x, float y, float z, float visibility)
        {
            int at = 4 * landmark;
            Landmarks[at] = x;
            Landmarks[at + 1] = y;
            Landmarks[at + 2] = z;
            Landmarks[at + 3] = visibility;
        }

        /// <summary>Take over everything from another frame with as many landmarks.</summary>
        public void CopyFrom(PoseFrame other)
        {
            if (other.LandmarkCount != LandmarkCount)
            {
                throw new PoseBridgeArgumentException(
                    "frame", "has " + other.LandmarkCount + " landmarks", LandmarkCount + " landmarks");
            }
            TimestampUs = other.TimestampUs;
            Detected = other.Detected;
            Axes = other.Axes;
            HasRoot = other.HasRoot;
            Root = other.Root;
            Array.Copy(other.Landmarks, Landmarks, Landmarks.Length);
        }
    }
}
