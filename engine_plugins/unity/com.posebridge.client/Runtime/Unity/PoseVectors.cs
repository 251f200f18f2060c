// SPDX-License-Identifier: Apache-2.0

using UnityEngine;

namespace PoseBridge
{
    /// <summary>Numbers of the core assembly as Unity's vectors and rotations.</summary>
    public static class PoseVectors
    {
        /// <summary>A point in Unity's axes.</summary>
        public static Vector3 ToVector3(PosePoint point)
        {
            return new Vector3((float)point.X, (float)point.Y, (float)point.Z);
        }

        /// <summary>Where a landmark is, in metres: from the root if it is known, else from the middle of the hips.</summary>
        public static Vector3 Landmark(PoseSnapshot pose, int landmark)
        {
            int at = 3 * landmark;
            Vector3 position = new Vector3(pose.Positions[at], pose.Positions[at + 1], pose.Positions[at + 2]);
            return pose.HasRoot ? position + ToVector3(pose.Root) : position;
        }

        /// <summary>A rotation in Unity's axes.</summary>
        public static Quaternion ToQuaternion(JointRotation rotation)
        {
            return new Quaternion(rotation.X, rotation.Y, rotation.Z, rotation.W);
        }
    }
}
