// SPDX-License-Identifier: Apache-2.0

namespace PoseBridge
{
    /// <summary>A pose at one time, made once and filled in again and again by <see cref="AvatarTrack.TryGetPose"/>.</summary>
    public sealed class PoseSnapshot
    {
        /// <param name="landmarks">Number of landmarks, J.</param>
        public PoseSnapshot(int landmarks)
        {
            if (landmarks < 1)
            {
                throw new PoseBridgeArgumentException("landmarks", "is " + landmarks, "1 or more");
            }
            LandmarkCount = landmarks;
            Positions = new float[3 * landmarks];
        }

        public int LandmarkCount { get; }

        /// <summary>(J, 3) in the client's axes and units, origin at the middle of the hips.</summary>
        public float[] Positions { get; }

        /// <summary>Whether <see cref="Root"/> is known.</summary>
        public bool HasRoot { get; internal set; }

        /// <summary>The middle of the hips in your world; zero if it is not known.</summary>
        public PosePoint Root { get; internal set; }

        /// <summary>Probability of the future that the pose belongs to, from 0 to 1.</summary>
        public float Probability { get; internal set; }

        /// <summary>The future's id, the same from one forecast to the next as long as it continues.</summary>
        public uint ModeId { get; internal set; }

        /// <summary>How far the pose lies ahead of the last observed frame, in microseconds.</summary>
        public long AheadUs { get; internal set; }

        /// <summary>How far the time was past the end of the forecast, in microseconds; 0: not at all.</summary>
        public long BeyondUs { get; internal set; }

        /// <summary>Number of the forecast that the pose comes from.</summary>
        public ulong ForecastNumber { get; internal set; }
    }
}
