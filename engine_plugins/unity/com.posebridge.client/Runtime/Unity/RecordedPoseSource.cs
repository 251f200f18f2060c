// SPDX-License-Identifier: Apache-2.0

using System.IO;
using UnityEngine;

namespace PoseBridge
{
    /// <summary>
    /// Plays a recorded clip in place of a camera: a .pbr file, as an asset (named .bytes, so that Unity takes it for binary data) or
    /// by its path.
    /// </summary>
    [AddComponentMenu("PoseBridge/Recorded Pose Source")]
    public sealed class RecordedPoseSource : MonoBehaviour, IPoseSource
    {
        [Tooltip("A .pbr clip whose name ends in .bytes.")]
        [SerializeField] private TextAsset _clip;

        [Tooltip("Path of a .pbr file, used if no clip is given; relative to StreamingAssets.")]
        [SerializeField] private string _path = "";

        [Tooltip("Begin again at the end.")]
        [SerializeField] private bool _loop = true;

        [Tooltip("1: as fast as it was recorded.")]
        [Range(0.1f, 4)] [SerializeField] private float _speed = 1;

        private PoseRecording _recording;
        private ClipPlayer _player;

        /// <summary>The clip; null if none could be read.</summary>
        public PoseRecording Recording => _recording;

        public string LayoutId => _recording == null ? MediaPipePose.LayoutId : _recording.LayoutId;

        public int LandmarkCount => _recording == null ? MediaPipePose.LandmarkCount : _recording.LandmarkCount;

        /// <summary>Play another clip from its beginning.</summary>
        public void Play(PoseRecording recording)
        {
            _recording = recording;
            _player = recording == null ? null : new ClipPlayer(recording, _loop, _speed, PoseClock.NowUs);
        }

        /// <inheritdoc/>
        public bool TryRead(PoseFrame frame)
        {
            return _player != null && _player.TryRead(PoseClock.NowUs, frame);
        }

        private void OnEnable()
        {
            try
            {
                PoseRecording recording = _recording ?? Load();
                if (recording == null)
                {
                    Debug.LogError("PoseBridge: clip: none is given (expected: a .pbr clip, as an asset or by its path)", this);
                    return;
                }
                Play(recording);
            }
            catch (PoseBridgeException error)
            {
                Debug.LogError("PoseBridge: clip: " + error.Message, this);
            }
            catch (IOException error)
            {
                Debug.LogError("PoseBridge: path: " + error.Message + " (expected: a .pbr file)", this);
            }
        }

        private PoseRecording Load()
        {
            if (_clip != null)
            {
                return new PoseRecording(_clip.bytes);
            }
            return string.IsNullOrEmpty(_path) ? null : PoseRecording.Load(Path.Combine(Application.streamingAssetsPath, _path));
        }
    }
}
