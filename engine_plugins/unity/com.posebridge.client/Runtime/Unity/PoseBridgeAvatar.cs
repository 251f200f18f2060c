// SPDX-License-Identifier: Apache-2.0

using System;
using System.Collections.Generic;
using UnityEngine;
using UnityEngine.Events;

namespace PoseBridge
{
    /// <summary>
    /// One tracked body. Sends what its <see cref="IPoseSource"/> observes, and offers its futures. Positions are metres in Unity's
    /// axes; place and turn the body with this object's transform.
    /// </summary>
    [DefaultExecutionOrder(-100)]
    [DisallowMultipleComponent]
    [AddComponentMenu("PoseBridge/PoseBridge Avatar")]
    public sealed class PoseBridgeAvatar : MonoBehaviour
    {
        private const int MostFramesAtOnce = 32;
        private static readonly List<PoseBridgeAvatar> Enabled = new List<PoseBridgeAvatar>();

        [Tooltip("Name of the body, different for each. Letters, digits and _ . : -   Empty: the object's name and number.")]
        [SerializeField] private string _avatarId = "";

        [Tooltip("A component that implements IPoseSource; empty: the one on this object.")]
        [SerializeField] private MonoBehaviour _source;

        [Tooltip("A newer forecast is there.")]
        [SerializeField] private UnityEvent<PoseBridgeAvatar> _onForecast = new UnityEvent<PoseBridgeAvatar>();

        [Tooltip("An alert of this body was raised, updated, cleared or acknowledged.")]
        [SerializeField] private UnityEvent<PoseAlert> _onAlert = new UnityEvent<PoseAlert>();

        private readonly SourceClock _clock = new SourceClock();
        private IPoseSource _input;
        private PoseBridgeConnection _connection;
        private PoseBridgeClient _client;
        private AvatarTrack _track;
        private PoseFrame _frame;
        private PoseSnapshot _gizmoPose;
        private ulong _forecastNumber;
        private string _lastProblem;

        /// <summary>
        /// A newer forecast is there. It is given back right after the call: copy what you need later
        /// (<see cref="ForecastCopy.CopyFrom"/>).
        /// </summary>
        public event Action<PoseBridgeAvatar, BorrowedForecast> ForecastReceived;

        /// <summary>An alert of this body was raised, updated, cleared or acknowledged.</summary>
        public event Action<PoseBridgeAvatar, PoseAlert> AlertChanged;

        /// <summary>Name of the body. Set it before the component is enabled.</summary>
        public string AvatarId
        {
            get { return _avatarId; }
            set { _avatarId = value; }
        }

        /// <summary>Where observed poses come from. May be set at any time.</summary>
        public IPoseSource Source
        {
            get { return _input; }
            set { _input = value; }
        }

        /// <summary>The body in the client in use; null while there is no connection component.</summary>
        public AvatarTrack Track => _client == null || _client.IsDisposed ? null : _track;

        /// <summary>Landmarks of a pose, J; 0 while there is no connection component.</summary>
        public int LandmarkCount => Track == null ? 0 : _track.LandmarkCount;

        /// <summary>Whether the body is in the layout whose bones and joints this package knows.</summary>
        public bool IsMediaPipePose => LandmarkCount == MediaPipePose.LandmarkCount;

        /// <summary>What time it is on the clock of the source, in microseconds; 0 before the first frame.</summary>
        public ulong DisplayTimeUs => _clock.IsKnown ? _clock.ToSourceUs(PoseClock.NowUs) : 0;

        /// <summary>Where the body is at a time; false before the first forecast. Makes no garbage.</summary>
        /// <param name="aheadMs">How far ahead of now, in milliseconds.</param>
        /// <param name="future">0 is the most probable one, up to K - 1; or <see cref="AvatarTrack.MeanFuture"/>.</param>
        /// <param name="pose">Filled in; made for <see cref="LandmarkCount"/> landmarks.</param>
        public bool TryGetPose(float aheadMs, int future, PoseSnapshot pose)
        {
            AvatarTrack track = Track;
            ulong now = DisplayTimeUs;
            if (track == null || now == 0)
            {
                return false;
            }
            double time = now + 1000.0 * aheadMs;
            return time > 0 && track.TryGetPose((ulong)time, future, pose);
        }

        /// <summary>Number of futures of the newest forecast; 0 before the first.</summary>
        public int FutureCount { get; private set; }

        internal static void Deliver(PoseBridgeConnection connection, PoseAlert alert)
        {
            for (int i = Enabled.Count - 1; i >= 0; i--)
            {
                PoseBridgeAvatar avatar = Enabled[i];
                if (avatar._connection == connection && avatar._track != null && avatar._track.AvatarId == alert.AvatarId)
                {
                    avatar.AlertChanged?.Invoke(avatar, alert);
                    avatar._onAlert.Invoke(alert);
                }
            }
        }

        [RuntimeInitializeOnLoadMethod(RuntimeInitializeLoadType.SubsystemRegistration)]
        private static void ResetStatics()
        {
            Enabled.Clear();
        }

        private void OnEnable()
        {
            Enabled.Add(this);
            if (_input == null)
            {
                _input = _source as IPoseSource ?? GetComponent<IPoseSource>();
            }
            if (_source != null && !(_source is IPoseSource))
            {
                Debug.LogError(
                    "PoseBridge: source: " + _source.GetType().Name + " is no pose source (expected: a component that implements "
                    + "IPoseSource, such as RecordedPoseSource)",
                    this);
            }
        }

        private void OnDisable()
        {
            Enabled.Remove(this);
            Forget();
        }

        private void Update()
        {
            if (!Join())
            {
                return;
            }
            SendFrames();
            PassForecastOn();
        }

        /// <summary>Follow the connection: it may be made later, or made anew. False while there is none.</summary>
        private bool Join()
        {
            if (_connection == null || _connection.Client == null)
            {
                _connection = PoseBridgeConnection.For(gameObject);
            }
            PoseBridgeClient client = _connection == null ? null : _connection.Client;
            if (client == null)
            {
                Forget();
                return false;
            }
            if (client == _client)
            {
                return _track != null;
            }
            Forget();
            _client = client;
            if (_input != null && (_input.LandmarkCount != client.LandmarkCount || _input.LayoutId != _connection.LayoutId))
            {
                Debug.LogError(
                    "PoseBridge: source: delivers " + _input.LandmarkCount + " landmarks of " + _input.LayoutId + " (expected: "
                    + client.LandmarkCount + " of " + _connection.LayoutId + ", as the connection says)",
                    this);
                return false;
            }
            try
            {
                _track = client.AddAvatar(AvatarIdOrName());
            }
            catch (PoseBridgeException error)
            {
                Debug.LogError("PoseBridge: " + error.Message, this);
                return false;
            }
            _frame = new PoseFrame(client.LandmarkCount);
            return true;
        }

        private void Forget()
        {
            _client = null;
            _track = null;
            _forecastNumber = 0;
            FutureCount = 0;
        }

        private string AvatarIdOrName()
        {
            // An object's number may be negative; an id has no spaces.
            return string.IsNullOrEmpty(_avatarId) ? "avatar" + unchecked((uint)GetInstanceID()) : _avatarId;
        }

        private void SendFrames()
        {
            if (_input == null)
            {
                return;
            }
            try
            {
                for (int i = 0; i < MostFramesAtOnce && _input.TryRead(_frame); i++)
                {
                    _clock.Observe(_frame.TimestampUs, PoseClock.NowUs);
                    _track.Send(_frame);
                }
            }
            catch (PoseBridgeException error)
            {
                // A source that is wrong is wrong in every frame: say it once.
                if (error.Message != _lastProblem)
                {
                    _lastProblem = error.Message;
                    Debug.LogError("PoseBridge: a frame was left out: " + error.Message, this);
                }
            }
        }

        private void PassForecastOn()
        {
            if (_track.ForecastNumber == _forecastNumber)
            {
                return;
            }
            BorrowedForecast forecast;
            if (!_track.TryBorrowForecast(out forecast))
            {
                return;
            }
            using (forecast)
            {
                _forecastNumber = forecast.Number;
                FutureCount = forecast.Futures;
                ForecastReceived?.Invoke(this, forecast);
            }
            _onForecast.Invoke(this);
        }

        private void OnDrawGizmosSelected()
        {
            if (!Application.isPlaying || !IsMediaPipePose)
            {
                return;
            }
            if (_gizmoPose == null)
            {
                _gizmoPose = new PoseSnapshot(MediaPipePose.LandmarkCount);
            }
            if (TryGetPose(0, 0, _gizmoPose))
            {
                SkeletonGizmos.Draw(_gizmoPose, transform.localToWorldMatrix, Color.green);
            }
            if (TryGetPose(500, AvatarTrack.MeanFuture, _gizmoPose))
            {
                SkeletonGizmos.Draw(_gizmoPose, transform.localToWorldMatrix, Color.yellow);
            }
        }
    }
}
