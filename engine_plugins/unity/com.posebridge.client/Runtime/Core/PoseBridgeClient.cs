// SPDX-License-Identifier: Apache-2.0

using System;
using System.Collections.Generic;

namespace PoseBridge
{
    /// <summary>
    /// A connection to a PoseBridge server, with any number of avatars. No call waits for the network.
    /// </summary>
    /// <remarks>
    /// Use the client from one thread at a time; different avatars may be used from different threads at once.
    /// <see cref="Dispose"/> may be called while another thread is inside a call: that call ends as usual, later ones throw
    /// <see cref="ObjectDisposedException"/>.
    /// </remarks>
    public sealed unsafe class PoseBridgeClient : IDisposable
    {
        private readonly NativeClientHandle _handle;
        private readonly NativeLog _log;
        private readonly Dictionary<string, AvatarTrack> _tracks = new Dictionary<string, AvatarTrack>();
        private PoseBridgeSession _session;
        private ulong _sessionNumber;

        /// <summary>Make a client; it does not connect yet.</summary>
        /// <exception cref="PoseBridgeLibraryException">The native library cannot be loaded.</exception>
        /// <exception cref="PoseBridgeVersionException">The native library does not go with this package.</exception>
        /// <exception cref="PoseBridgeArgumentException">A setting is wrong; names it.</exception>
        public PoseBridgeClient(PoseBridgeConfig config)
        {
            if (config == null)
            {
                throw new PoseBridgeArgumentException("config", "is null", "a PoseBridgeConfig");
            }
            PoseBridgeVersion.Check();
            Axes = config.Axes;
            LandmarkCount = config.LandmarksOrDefault;
            _log = new NativeLog();
            IntPtr client = IntPtr.Zero;
            try
            {
                client = Create(config, _log);
            }
            finally
            {
                if (client == IntPtr.Zero)
                {
                    _log.Close();
                }
            }
            _handle = new NativeClientHandle(client, _log);
        }

        /// <summary>Axes and units of everything that goes in and out.</summary>
        public PoseAxes Axes { get; }

        /// <summary>Landmarks of a pose, J.</summary>
        public int LandmarkCount { get; }

        /// <summary>True after <see cref="Dispose"/>.</summary>
        public bool IsDisposed => _handle.IsClosed;

        /// <summary>Where the client stands now.</summary>
        public PoseBridgeState State => (PoseBridgeState)UnsafeNativeMethods.posebridge_get_state(_handle);

        /// <summary>Counters.</summary>
        public PoseBridgeStats Stats => new PoseBridgeStats(ReadStats());

        /// <summary>Rises with every error; 0 if there was none. Compare it before you ask for <see cref="LastError"/>.</summary>
        public ulong ErrorCount
        {
            get
            {
                NativeError error = default(NativeError);
                return ReadError(&error) ? error.Count : 0;
            }
        }

        /// <summary>The last error; null if there was none.</summary>
        public PoseBridgeError LastError
        {
            get
            {
                NativeError error = default(NativeError);
                return ReadError(&error) ? new PoseBridgeError(&error) : null;
            }
        }

        /// <summary>What the server has accepted; null before the first session. The same object until the next session.</summary>
        public PoseBridgeSession Session
        {
            get
            {
                ulong number = ReadStats().Sessions;
                if (_session != null && number == _sessionNumber)
                {
                    return _session;
                }
                NativeSession session = default(NativeSession);
                session.Size = (UIntPtr)sizeof(NativeSession);
                int result = UnsafeNativeMethods.posebridge_get_session(_handle, &session);
                Throw(result);
                if (result == NativeResult.Empty)
                {
                    return null;
                }
                _session = new PoseBridgeSession(&session);
                _sessionNumber = number;
                return _session;
            }
        }

        internal NativeClientHandle Handle => _handle;

        /// <summary>Begin to connect, and keep at it; returns at once.</summary>
        /// <exception cref="PoseBridgePreconditionException">The client is connected, or trying to connect, already.</exception>
        public void Connect()
        {
            Throw(UnsafeNativeMethods.posebridge_connect(_handle));
        }

        /// <summary>End the session and stay away; returns within 200 ms.</summary>
        public void Disconnect()
        {
            Throw(UnsafeNativeMethods.posebridge_disconnect(_handle));
        }

        /// <summary>
        /// Make an avatar known. The same id gives the same object. Takes memory: call it when an avatar appears, not every frame.
        /// </summary>
        /// <param name="avatarId">1 to 64 of A-Z a-z 0-9 _ . : -</param>
        public AvatarTrack AddAvatar(string avatarId)
        {
            if (avatarId == null)
            {
                throw new PoseBridgeArgumentException("avatar_id", "is null", "1 to 64 of A-Z a-z 0-9 _ . : -");
            }
            AvatarTrack track;
            if (_tracks.TryGetValue(avatarId, out track))
            {
                return track;
            }
            int avatar;
            fixed (byte* id = NativeText.Encode(avatarId, "avatar_id"))
            {
                avatar = UnsafeNativeMethods.posebridge_add_avatar(_handle, id);
            }
            Throw(avatar);
            track = new AvatarTrack(this, avatarId, avatar);
            _tracks.Add(avatarId, track);
            return track;
        }

        /// <summary>The oldest change of an alert that was not yet polled; false if there is none.</summary>
        public bool TryPollAlert(out PoseAlert alert)
        {
            NativeAlert native = default(NativeAlert);
            native.Size = (UIntPtr)sizeof(NativeAlert);
            int result = UnsafeNativeMethods.posebridge_poll_alert(_handle, &native);
            Throw(result);
            alert = result == NativeResult.Ok ? new PoseAlert(&native) : null;
            return alert != null;
        }

        /// <summary>The oldest log message that was not yet read; false if there is none.</summary>
        public bool TryReadLog(out PoseLogMessage message)
        {
            return _log.TryRead(out message);
        }

        /// <summary>
        /// End the background thread and give all memory back, within 200 ms whatever the server does. Forecasts that are still
        /// borrowed become invalid. May be called more than once.
        /// </summary>
        public void Dispose()
        {
            _handle.Dispose();
        }

        /// <summary>Throw what a negative result means.</summary>
        internal void Throw(int result)
        {
            if (result >= 0)
            {
                return;
            }
            NativeError error = default(NativeError);
            ReadError(&error);
            throw new PoseBridgeError(&error).ToException(result);
        }

        private bool ReadError(NativeError* error)
        {
            error->Size = (UIntPtr)sizeof(NativeError);
            return UnsafeNativeMethods.posebridge_last_error(_handle, error) == NativeResult.Ok;
        }

        private NativeStats ReadStats()
        {
            NativeStats stats = default(NativeStats);
            stats.Size = (UIntPtr)sizeof(NativeStats);
            Throw(UnsafeNativeMethods.posebridge_get_stats(_handle, &stats));
            return stats;
        }

        private static IntPtr Create(PoseBridgeConfig config, NativeLog log)
        {
            NativeConfig native = default(NativeConfig);
            native.Size = (UIntPtr)sizeof(NativeConfig);
            NativeError error = default(NativeError);
            error.Size = (UIntPtr)sizeof(NativeError);
            int result = UnsafeNativeMethods.posebridge_default_config(&native);
            if (result < 0)
            {
                throw new PoseBridgeError(&error).ToException(result);
            }
            config.WriteTo(ref native);
            IntPtr client = IntPtr.Zero;
            IntPtr[] texts = new IntPtr[7];
            try
            {
                native.Endpoint = texts[0] = NativeText.Allocate(config.Endpoint, "config.endpoint");
                texts[1] = NativeText.Allocate(config.ClientName, "config.client_name");
                native.ClientName = texts[1] == IntPtr.Zero ? native.ClientName : texts[1];
                texts[2] = NativeText.Allocate(config.LayoutId, "config.layout_id");
                native.LayoutId = texts[2] == IntPtr.Zero ? native.LayoutId : texts[2];
                native.ServerPublicKey = texts[3] = NativeText.Allocate(config.ServerPublicKey, "config.server_public_key");
                native.ClientPublicKey = texts[4] = NativeText.Allocate(config.ClientPublicKey, "config.client_public_key");
                native.ClientSecretKey = texts[5] = NativeText.Allocate(config.ClientSecretKey, "config.client_secret_key");
                native.Token = texts[6] = NativeText.Allocate(config.Token, "config.token");
                native.Log = log.FunctionPointer;
                native.LogUser = log.User;
                result = UnsafeNativeMethods.posebridge_create(&native, &client, &error);
            }
            finally
            {
                foreach (IntPtr text in texts)
                {
                    NativeText.Free(text);
                }
            }
            if (result < 0)
            {
                throw new PoseBridgeError(&error).ToException(result);
            }
            return client;
        }
    }
}
