// SPDX-License-Identifier: Apache-2.0

using System.Collections.Generic;
using UnityEngine;

namespace PoseBridge
{
    /// <summary>
    /// Moves the bones of a Humanoid character as an avatar is predicted to move: at the time that is shown, plus a latency to make
    /// up for. Only for MediaPipe's 33 landmarks. Works after the Animator, on top of what it does.
    /// </summary>
    [DefaultExecutionOrder(100)]
    [AddComponentMenu("PoseBridge/Predicted Pose Driver")]
    public sealed class PredictedPoseDriver : MonoBehaviour
    {
        private static readonly HumanBodyBones[] BodyBones =
        {
            HumanBodyBones.Hips, HumanBodyBones.Spine, HumanBodyBones.Chest, HumanBodyBones.Neck, HumanBodyBones.Head,
            HumanBodyBones.LeftUpperArm, HumanBodyBones.LeftLowerArm, HumanBodyBones.LeftHand,
            HumanBodyBones.RightUpperArm, HumanBodyBones.RightLowerArm, HumanBodyBones.RightHand,
            HumanBodyBones.LeftUpperLeg, HumanBodyBones.LeftLowerLeg, HumanBodyBones.LeftFoot,
            HumanBodyBones.RightUpperLeg, HumanBodyBones.RightLowerLeg, HumanBodyBones.RightFoot,
        };

        [Tooltip("Whose motion is shown; empty: the avatar on this object or above it.")]
        [SerializeField] private PoseBridgeAvatar _avatar;

        [Tooltip("A Humanoid character; empty: the Animator on this object.")]
        [SerializeField] private Animator _animator;

        [Tooltip("How far ahead of the newest observation's arrival to show the body, in milliseconds: what camera, tracker and "
            + "screen take together.")]
        [Range(0, 1000)] [SerializeField] private float _latencyMs = 80;

        [Tooltip("Which future: 0 is the most probable one, -1 the mean of all.")]
        [Range(-1, 15)] [SerializeField] private int _future;

        [Tooltip("0: as the Animator has it; 1: as predicted.")]
        [Range(0, 1)] [SerializeField] private float _weight = 1;

        [Tooltip("Also move the hips, where frames carry a root.")]
        [SerializeField] private bool _moveHips = true;

        private readonly JointRotation[] _rotations = new JointRotation[HumanoidPose.JointCount];
        private readonly Transform[] _bones = new Transform[HumanoidPose.JointCount];
        private readonly Quaternion[] _restRotations = new Quaternion[HumanoidPose.JointCount];
        private PoseSnapshot _pose;

        /// <summary>How far ahead to show the body, in milliseconds.</summary>
        public float LatencyMs
        {
            get { return _latencyMs; }
            set { _latencyMs = value; }
        }

        /// <summary>0: as the Animator has it; 1: as predicted.</summary>
        public float Weight
        {
            get { return _weight; }
            set { _weight = Mathf.Clamp01(value); }
        }

        /// <summary>The bone of Unity's humanoid that a joint moves.</summary>
        public static HumanBodyBones BodyBone(HumanoidJoint joint)
        {
            return BodyBones[(int)joint];
        }

        private void OnEnable()
        {
            _avatar = _avatar != null ? _avatar : GetComponentInParent<PoseBridgeAvatar>();
            _animator = _animator != null ? _animator : GetComponent<Animator>();
            if (_avatar == null || _animator == null || !_animator.isHuman)
            {
                string field = _avatar == null ? "avatar" : "animator";
                string expected = _avatar == null
                    ? "a PoseBridgeAvatar on this object or above it"
                    : "an Animator whose model has the rig type Humanoid";
                Debug.LogError("PoseBridge: " + field + ": none that can be used (expected: " + expected + ")", this);
                enabled = false;
                return;
            }
            _pose = new PoseSnapshot(MediaPipePose.LandmarkCount);
            FindBones();
        }

        private void LateUpdate()
        {
            if (!_avatar.IsMediaPipePose
                || !_avatar.TryGetPose(_latencyMs, _future, _pose)
                || !_avatar.Track.TryGetJointRotations(_pose, null, _rotations))
            {
                return;
            }
            Quaternion body = _avatar.transform.rotation;
            // Parents stand before their children, so each is set when its children follow.
            for (int joint = 0; joint < _bones.Length; joint++)
            {
                if (_bones[joint] != null)
                {
                    Quaternion target = body * PoseVectors.ToQuaternion(_rotations[joint]) * _restRotations[joint];
                    _bones[joint].rotation = Quaternion.Slerp(_bones[joint].rotation, target, _weight);
                }
            }
            Transform hips = _bones[(int)HumanoidJoint.Hips];
            if (_moveHips && _pose.HasRoot && hips != null)
            {
                Vector3 place = _avatar.transform.TransformPoint(PoseVectors.ToVector3(_pose.Root));
                hips.position = Vector3.Lerp(hips.position, place, _weight);
            }
        }

        private void FindBones()
        {
            Dictionary<string, Quaternion> rest = new Dictionary<string, Quaternion>();
            foreach (SkeletonBone bone in _animator.avatar.humanDescription.skeleton)
            {
                rest[bone.name] = bone.rotation;
            }
            for (int joint = 0; joint < _bones.Length; joint++)
            {
                _bones[joint] = _animator.GetBoneTransform(BodyBones[joint]);
                _restRotations[joint] = _bones[joint] == null ? Quaternion.identity : RestRotation(_bones[joint], rest);
            }
        }

        /// <summary>
        /// A bone's rotation in the character's T-pose, relative to the character: what turns the skeleton's axes, which are the
        /// same for all joints, into those that the model's author chose for this bone.
        /// </summary>
        private Quaternion RestRotation(Transform bone, Dictionary<string, Quaternion> rest)
        {
            Quaternion rotation = Quaternion.identity;
            for (Transform at = bone; at != null && at != _animator.transform; at = at.parent)
            {
                Quaternion local;
                rotation = (rest.TryGetValue(at.name, out local) ? local : at.localRotation) * rotation;
            }
            return rotation;
        }
    }
}
