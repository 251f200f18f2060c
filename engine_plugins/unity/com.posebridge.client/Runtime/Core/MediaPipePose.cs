// SPDX-License-Identifier: Apache-2.0

namespace PoseBridge
{
    /// <summary>The layout "mediapipe.pose.33": names of the landmarks and the bones between them.</summary>
    public static class MediaPipePose
    {
        public const string LayoutId = "mediapipe.pose.33";
        public const int LandmarkCount = 33;

        public const int LeftHip = 23;
        public const int RightHip = 24;

        private static readonly string[] Names =
        {
            "nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer", "left_ear",
            "right_ear", "mouth_left", "mouth_right", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist",
            "right_wrist", "left_pinky", "right_pinky", "left_index", "right_index", "left_thumb", "right_thumb", "left_hip",
            "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle", "left_heel", "right_heel", "left_foot_index",
            "right_foot_index",
        };

        // Pairs of landmark indices, one after the other.
        private static readonly int[] Bones =
        {
            0, 1, 1, 2, 2, 3, 3, 7, 0, 4, 4, 5, 5, 6, 6, 8, 9, 10, 11, 12, 11, 13, 13, 15, 15, 17, 15, 19, 15, 21, 17, 19, 12, 14,
            14, 16, 16, 18, 16, 20, 16, 22, 18, 20, 11, 23, 12, 24, 23, 24, 23, 25, 24, 26, 25, 27, 26, 28, 27, 29, 28, 30, 29, 31,
            30, 32, 27, 31, 28, 32,
        };

        /// <summary>Number of bones.</summary>
        public static int BoneCount => Bones.Length / 2;

        /// <summary>The landmark at which a bone begins.</summary>
        public static int BoneStart(int bone)
        {
            return Bones[2 * bone];
        }

        /// <summary>The landmark at which a bone ends.</summary>
        public static int BoneEnd(int bone)
        {
            return Bones[2 * bone + 1];
        }

        /// <summary>Name of a landmark, such as "left_wrist".</summary>
        public static string LandmarkName(int landmark)
        {
            return Names[landmark];
        }
    }
}
