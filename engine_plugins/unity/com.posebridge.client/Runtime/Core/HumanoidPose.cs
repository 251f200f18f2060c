// SPDX-License-Identifier: Apache-2.0

namespace PoseBridge
{
    /// <summary>A rotation as a unit quaternion, in the conventions of the axes (Unity and Unreal: left-handed).</summary>
    public struct JointRotation
    {
        public float X;
        public float Y;
        public float Z;
        public float W;
    }

    /// <summary>Rotations of a humanoid skeleton from landmarks of the layout "mediapipe.pose.33".</summary>
    public static class HumanoidPose
    {
        /// <summary>Joints of the skeleton, see <see cref="HumanoidJoint"/>.</summary>
        public const int JointCount = 17;

        /// <summary>Compute the rotations. False if the body has no extent or a number is not finite.</summary>
        /// <param name="axes">Axes of the landmarks, and of the rotations.</param>
        /// <param name="positions">(33, 3) landmarks.</param>
        /// <param name="local">Set to each joint's rotation relative to its parent (the hips: to the world); may be null.</param>
        /// <param name="global">Set to each joint's rotation relative to the world; may be null.</param>
        public static unsafe bool TryComputeRotations(
            PoseAxes axes, float[] positions, JointRotation[] local, JointRotation[] global)
        {
            int numbers = 3 * MediaPipePose.LandmarkCount;
            if (positions == null || positions.Length != numbers)
            {
                string problem = positions == null ? "is null" : "has " + positions.Length + " numbers";
                throw new PoseBridgeArgumentException("positions", problem, numbers + " numbers: 33 landmarks of x, y, z");
            }
            Require(local, "local");
            Require(global, "global");
            fixed (float* landmarks = positions)
            fixed (JointRotation* locals = local)
            fixed (JointRotation* globals = global)
            {
                return UnsafeNativeMethods.posebridge_joint_rotations((int)axes, landmarks, locals, globals) >= 0;
            }
        }

        /// <summary>The joint's parent, or -1 for the hips.</summary>
        public static int Parent(HumanoidJoint joint)
        {
            return UnsafeNativeMethods.posebridge_joint_parent((int)joint);
        }

        /// <summary>The joint's name in the native library, which is its name in Unity's HumanBodyBones.</summary>
        public static string Name(HumanoidJoint joint)
        {
            return NativeText.Read(UnsafeNativeMethods.posebridge_joint_name((int)joint));
        }

        private static void Require(JointRotation[] rotations, string field)
        {
            if (rotations != null && rotations.Length != JointCount)
            {
                throw new PoseBridgeArgumentException(
                    field, "has " + rotations.Length + " rotations", JointCount + " rotations, one for each joint, or null");
            }
        }
    }
}
