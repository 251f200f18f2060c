// SPDX-License-Identifier: Apache-2.0

using UnityEngine;

namespace PoseBridge
{
    /// <summary>Draws a pose of 33 landmarks in the editor's scene view.</summary>
    public static class SkeletonGizmos
    {
        private const float JointRadiusM = 0.015f;

        /// <summary>Call it from OnDrawGizmos or OnDrawGizmosSelected.</summary>
        /// <param name="pose">In Unity's axes.</param>
        /// <param name="toWorld">From the body's axes to the world, such as a transform's localToWorldMatrix.</param>
        /// <param name="color">Of bones and joints.</param>
        public static void Draw(PoseSnapshot pose, Matrix4x4 toWorld, Color color)
        {
            Matrix4x4 matrix = Gizmos.matrix;
            Color before = Gizmos.color;
            Gizmos.matrix = toWorld;
            Gizmos.color = color;
            for (int bone = 0; bone < MediaPipePose.BoneCount; bone++)
            {
                Gizmos.DrawLine(
                    PoseVectors.Landmark(pose, MediaPipePose.BoneStart(bone)),
                    PoseVectors.Landmark(pose, MediaPipePose.BoneEnd(bone)));
            }
            for (int landmark = 0; landmark < pose.LandmarkCount; landmark++)
            {
                Gizmos.DrawSphere(PoseVectors.Landmark(pose, landmark), JointRadiusM);
            }
            Gizmos.matrix = matrix;
            Gizmos.color = before;
        }
    }
}
