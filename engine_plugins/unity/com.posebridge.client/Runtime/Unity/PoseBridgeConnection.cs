// SPDX-License-Identifier: Apache-2.0

using System;
using System.Collections.Generic;
using UnityEngine;

namespace PoseBridge
{
    /// <summary>
    /// The scene's connection to a PoseBridge server. One per scene; avatars find it by themselves. It connects when it is enabled,
    /// never waits for the network, and ends its background thread when it is disabled, which Unity also does before scripts are
    /// reloaded and when play mode ends.
    /// </summary>
    [DefaultExecutionOrder(-200)]
    [DisallowMultipleComponent]
    [AddComponentMenu("PoseBridge/PoseBridge Connection")]
    public sealed class PoseBridgeConnection : MonoBehaviour
    {
        private static readonly List<PoseBridgeConnection> Enabled = new List<PoseBridgeConnection>();

        [Tooltip("Where the server's ZeroMQ front listens.")]
        [SerializeField] private string _endpoint = "tcp://127.0.0.1:50552";

        [Tooltip("Shows in the server's logs. Letters, digits and _ . : -")]
        [SerializeField] private string _clientName = "unity";

        [Tooltip("Id of the landmark layout.")]
        [SerializeField] private string _layoutId = MediaPipePose.LayoutId;

        [Tooltip("Number of landmarks of the layout.")]
        [SerializeField] private int _landmarks = MediaPipePose.LandmarkCount;

        [Tooltip("Forecasts per second and avatar; 0: the server's default.")]
        [Min(0)] [SerializeField] private float _forecastRateHz;

        [Tooltip("How far forecasts reach, in milliseconds; 0: the server's default.")]
        [Min(0)] [SerializeField] private int _horizonMs;

        [Tooltip("Number of futures, up to 16; 0: the server's default.")]
        [Range(0, 16)] [SerializeField] private int _futures;

        [Tooltip("Watch the motion and raise alerts, where the server has a calibration.")]
        [SerializeField] private bool _anomaly = true;

        [Tooltip("Most avatars in the scene.")]
        [Range(1, 1024)] [SerializeField] private int _maxAvatars = 16;

        [Tooltip("For a server that asks for tokens.")]
        [SerializeField] private string _token = "";

        private PoseBridgeClient _client;
        private PoseBridgeState _state;
        private ulong _errorCount;

        /// <summary>The state has changed.</summary>
        public event Action<PoseBridgeState> StateChanged;

        /// <summary>An alert of any avatar was raised, updated, cleared or acknowledged.</summary>
        public event Action<PoseAlert> AlertChanged;

        /// <summary>Something went wrong; also written to the console.</summary>
        public event Action<PoseBridgeError> ErrorReported;

        /// <summary>Where the server's ZeroMQ front listens. Takes effect when the component is enabled the next time.</summary>
        public string Endpoint
        {
            get { return _endpoint; }
            set { _endpoint = value; }
        }

        /// <summary>For a server that asks for tokens. Takes effect when the component is enabled the next time.</summary>
        public string Token
        {
            get { return _token; }
            set { _token = value; }
        }

        /// <summary>The client in use; null while the component is disabled or could not start.</summary>
        public PoseBridgeClient Client => _client;

        /// <summary>Where the connection stands.</summary>
        public PoseBridgeState State => _client == null ? PoseBridgeState.Disconnected : _client.State;

        /// <summary>Id of the landmark layout.</summary>
        public string LayoutId => _layoutId;

        /// <summary>Landmarks of a pose, J.</summary>
        public int LandmarkCount => _landmarks;

        /// <summary>The enabled connection of a scene; null if there is none.</summary>
        public static PoseBridgeConnection In(UnityEngine.SceneManagement.Scene scene)
        {
            foreach (PoseBridgeConnection connection in Enabled)
            {
                if (connection.gameObject.scene == scene)
                {
                    return connection;
                }
            }
            return null;
        }

        /// <summary>
        /// The connection for an object: that of its scene, or else any, so that one that lives in another scene serves all.
        /// </summary>
        public static PoseBridgeConnection For(GameObject owner)
        {
            PoseBridgeConnection own = In(owner.scene);
            return own != null || Enabled.Count == 0 ? own : Enabled[0];
        }

        /// <summary>End every connection and its thread at once. The editor calls it before scripts are reloaded.</summary>
        internal static void StopAll()
        {
            for (int i = Enabled.Count - 1; i >= 0; i--)
            {
                Enabled[i].Stop();
            }
            Enabled.Clear();
        }

        // Static state outlives play mode where "Reload Domain" is switched off.
        [RuntimeInitializeOnLoadMethod(RuntimeInitializeLoadType.SubsystemRegistration)]
        private static void ResetStatics()
        {
            StopAll();
        }

        private void OnEnable()
        {
            PoseBridgeConnection other = In(gameObject.scene);
            if (other != null && other != this)
            {
                Debug.LogError("PoseBridge: the scene has a connection already, on " + other.name + "; this one stays off", this);
                enabled = false;
                return;
            }
            Enabled.Add(this);
            try
            {
                _client = new PoseBridgeClient(MakeConfig());
                _client.Connect();
            }
            catch (PoseBridgeException error)
            {
                Debug.LogError("PoseBridge: " + error.Message, this);
                Stop();
            }
        }

        private void OnDisable()
        {
            Stop();
            Enabled.Remove(this);
        }

        private void OnApplicationQuit()
        {
            Stop();
        }

        private void Update()
        {
            if (_client == null)
            {
                return;
            }
            PassLogOn();
            PassStateOn();
            PassErrorOn();
            PoseAlert alert;
            while (_client != null && _client.TryPollAlert(out alert))
            {
                PassAlertOn(alert);
            }
        }

        private void Stop()
        {
            if (_client == null)
            {
                return;
            }
            _client.Dispose();
            _client = null;
            _errorCount = 0;
            ChangeState(PoseBridgeState.Disconnected);
        }

        private PoseBridgeConfig MakeConfig()
        {
            return new PoseBridgeConfig
            {
                Endpoint = _endpoint,
                ClientName = string.IsNullOrEmpty(_clientName) ? null : _clientName,
                LayoutId = string.IsNullOrEmpty(_layoutId) ? null : _layoutId,
                Landmarks = _landmarks,
                ForecastRateHz = _forecastRateHz,
                HorizonMs = _horizonMs,
                Futures = _futures,
                Anomaly = _anomaly,
                Axes = PoseAxes.Unity,
                MaxAvatars = _maxAvatars,
                Token = string.IsNullOrEmpty(_token) ? null : _token,
            };
        }

        private void PassLogOn()
        {
            PoseLogMessage message;
            while (_client.TryReadLog(out message))
            {
                switch (message.Level)
                {
                    case PoseLogLevel.Error:
                        Debug.LogError("PoseBridge: " + message.Text, this);
                        break;
                    case PoseLogLevel.Warning:
                        Debug.LogWarning("PoseBridge: " + message.Text, this);
                        break;
                    default:
                        Debug.Log("PoseBridge: " + message.Text, this);
                        break;
                }
            }
        }

        private void PassStateOn()
        {
            ChangeState(_client.State);
        }

        private void ChangeState(PoseBridgeState state)
        {
            if (state == _state)
            {
                return;
            }
            _state = state;
            StateChanged?.Invoke(state);
        }

        private void PassErrorOn()
        {
            // A handler of StateChanged may have disabled the component.
            if (_client == null)
            {
                return;
            }
            ulong count = _client.ErrorCount;
            if (count == _errorCount)
            {
                return;
            }
            _errorCount = count;
            PoseBridgeError error = _client.LastError;
            Debug.LogWarning("PoseBridge: " + error, this);
            ErrorReported?.Invoke(error);
        }

        private void PassAlertOn(PoseAlert alert)
        {
            AlertChanged?.Invoke(alert);
            PoseBridgeAvatar.Deliver(this, alert);
        }
    }
}
