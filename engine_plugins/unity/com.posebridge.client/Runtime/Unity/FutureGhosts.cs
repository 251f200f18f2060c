// SPDX-License-Identifier: Apache-2.0

using UnityEngine;

namespace PoseBridge
{
    /// <summary>
    /// Draws the futures of an avatar as skeletons of lines that fade with time; the more probable a future, the more opaque.
    /// Only for MediaPipe's 33 landmarks.
    /// </summary>
    [AddComponentMenu("PoseBridge/Future Ghosts")]
    public sealed class FutureGhosts : MonoBehaviour
    {
        private const int MostFutures = 16;
        private const int MostTimes = 16;

        [Tooltip("Empty: the avatar on this object or above it.")]
        [SerializeField] private PoseBridgeAvatar _avatar;

        [Tooltip("Most futures to draw, most probable first.")]
        [Range(1, MostFutures)] [SerializeField] private int _futures = 5;

        [Tooltip("Skeletons of one future, spread over the time ahead.")]
        [Range(1, MostTimes)] [SerializeField] private int _times = 4;

        [Tooltip("How far ahead the last skeleton is, in milliseconds.")]
        [Min(1)] [SerializeField] private float _aheadMs = 1000;

        [Tooltip("Also draw the body where it is now.")]
        [SerializeField] private bool _present = true;

        [Tooltip("Multiplies every opacity.")]
        [Range(0, 4)] [SerializeField] private float _opacity = 1;

        [SerializeField] private Color _presentColor = Color.white;

        [Tooltip("Taken in turn by the futures; a future that goes on keeps its colour.")]
        [SerializeField] private Color[] _futureColors =
        {
            new Color(1.00f, 0.60f, 0.10f), new Color(0.15f, 0.75f, 1.00f), new Color(0.55f, 0.90f, 0.25f),
            new Color(0.95f, 0.35f, 0.75f), new Color(0.95f, 0.90f, 0.25f),
        };

        [Tooltip("Must use the colours of vertices; empty: Unity's sprite shader.")]
        [SerializeField] private Material _material;

        private Vector3[] _vertices;
        private Color32[] _vertexColors;
        private Mesh _mesh;
        private Material _ownMaterial;
        private PoseSnapshot _pose;

        /// <summary>The avatar whose futures are drawn.</summary>
        public PoseBridgeAvatar Avatar
        {
            get { return _avatar; }
            set { _avatar = value; }
        }

        /// <summary>Opacity of a skeleton, from 0 to 1.</summary>
        /// <param name="probability">Of its future, from 0 to 1.</param>
        /// <param name="aheadShare">How far ahead it is: above 0, and 1 for the last one.</param>
        /// <param name="opacity">Factor for all.</param>
        public static float Alpha(float probability, float aheadShare, float opacity)
        {
            return Mathf.Clamp01(probability * opacity * (1.25f - aheadShare));
        }

        private void OnEnable()
        {
            if (_avatar == null)
            {
                _avatar = GetComponentInParent<PoseBridgeAvatar>();
            }
            if (_avatar == null)
            {
                Debug.LogError("PoseBridge: avatar: none is given (expected: a PoseBridgeAvatar on this object or above it)", this);
                enabled = false;
                return;
            }
            _pose = new PoseSnapshot(MediaPipePose.LandmarkCount);
            MakeMaterial();
        }

        private void OnDisable()
        {
            DropMesh();
            Destroy(_ownMaterial);
            _ownMaterial = null;
        }

        private void LateUpdate()
        {
            if (!_avatar.IsMediaPipePose || _avatar.FutureCount == 0)
            {
                return;
            }
            MakeMesh(2 * MediaPipePose.BoneCount * (1 + _futures * _times));
            int used = 0;
            if (_present && _avatar.TryGetPose(0, 0, _pose))
            {
                used = AddSkeleton(used, _presentColor);
            }
            int futures = Mathf.Min(_futures, _avatar.FutureCount);
            for (int future = 0; future < futures; future++)
            {
                for (int time = 1; time <= _times; time++)
                {
                    float share = (float)time / _times;
                    if (_avatar.TryGetPose(share * _aheadMs, future, _pose))
                    {
                        Color color = FutureColor(_pose.ModeId);
                        color.a = Alpha(_pose.Probability, share, _opacity);
                        used = AddSkeleton(used, color);
                    }
                }
            }
            Hide(used);
            _mesh.SetVertices(_vertices);
            _mesh.SetColors(_vertexColors);
            _mesh.RecalculateBounds();
            Graphics.DrawMesh(
                _mesh, _avatar.transform.localToWorldMatrix, _material != null ? _material : _ownMaterial, gameObject.layer);
        }

        private Color FutureColor(uint modeId)
        {
            return _futureColors.Length == 0 ? Color.white : _futureColors[modeId % (uint)_futureColors.Length];
        }

        /// <summary>Write the lines of the pose at <paramref name="used"/>; return where the next ones go.</summary>
        private int AddSkeleton(int used, Color32 color)
        {
            for (int bone = 0; bone < MediaPipePose.BoneCount; bone++)
            {
                _vertices[used] = PoseVectors.Landmark(_pose, MediaPipePose.BoneStart(bone));
                _vertices[used + 1] = PoseVectors.Landmark(_pose, MediaPipePose.BoneEnd(bone));
                _vertexColors[used] = color;
                _vertexColors[used + 1] = color;
                used += 2;
            }
            return used;
        }

        /// <summary>Lines that are not in use lie in one point and are clear.</summary>
        private void Hide(int used)
        {
            Vector3 somewhere = used > 0 ? _vertices[0] : Vector3.zero;
            for (int i = used; i < _vertices.Length; i++)
            {
                _vertices[i] = somewhere;
                _vertexColors[i] = new Color32(0, 0, 0, 0);
            }
        }

        /// <summary>Make the mesh, once and when the number of skeletons was changed.</summary>
        private void MakeMesh(int count)
        {
            if (_mesh != null && _vertices.Length == count)
            {
                return;
            }
            DropMesh();
            _vertices = new Vector3[count];
            _vertexColors = new Color32[count];
            int[] indices = new int[count];
            for (int i = 0; i < count; i++)
            {
                indices[i] = i;
            }
            _mesh = new Mesh { name = "PoseBridge ghosts", hideFlags = HideFlags.DontSave };
            _mesh.MarkDynamic();
            _mesh.SetVertices(_vertices);
            _mesh.SetIndices(indices, MeshTopology.Lines, 0);
        }

        private void DropMesh()
        {
            Destroy(_mesh);
            _mesh = null;
        }

        private void MakeMaterial()
        {
            if (_material == null)
            {
                // Draws vertex colours with transparency, in the built-in render pipeline and in URP.
                _ownMaterial = new Material(Shader.Find("Sprites/Default")) { hideFlags = HideFlags.DontSave };
            }
        }
    }
}
