// SPDX-License-Identifier: Apache-2.0

namespace PoseBridge
{
    /// <summary>What the server has accepted.</summary>
    public sealed class PoseBridgeSession
    {
        internal unsafe PoseBridgeSession(NativeSession* session)
        {
            ProtocolVersion = (int)session->ProtocolVersion;
            ServerVersion = NativeText.Read(session->ServerVersion, NativeSession.ServerVersionBytes);
            SessionId = NativeText.Read(session->SessionId, NativeSession.SessionIdBytes);
            ContextFrames = (int)session->ContextFrames;
            RateHz = session->RateHz;
            HorizonMs = (int)session->HorizonMs;
            Samples = (int)session->Samples;
            Futures = (int)session->Futures;
            ForecastRateHz = session->ForecastRateHz;
            FalseAlarmsPerHour = session->FalseAlarmsPerHour;
        }

        public int ProtocolVersion { get; }

        public string ServerVersion { get; }

        public string SessionId { get; }

        /// <summary>Frames of context at <see cref="RateHz"/>: forecasts begin when an avatar has them.</summary>
        public int ContextFrames { get; }

        /// <summary>The model's frames per second.</summary>
        public float RateHz { get; }

        /// <summary>How far forecasts reach, in milliseconds.</summary>
        public int HorizonMs { get; }

        public int Samples { get; }

        /// <summary>Futures of a forecast, K.</summary>
        public int Futures { get; }

        /// <summary>Forecasts per second and avatar.</summary>
        public float ForecastRateHz { get; }

        /// <summary>False alarms accepted per hour and avatar; 0: motion is not watched.</summary>
        public float FalseAlarmsPerHour { get; }
    }

    /// <summary>Counters of a client since it was made.</summary>
    public struct PoseBridgeStats
    {
        internal PoseBridgeStats(NativeStats stats)
        {
            State = (PoseBridgeState)stats.State;
            Sessions = stats.Sessions;
            FramesGiven = stats.FramesGiven;
            FramesSent = stats.FramesSent;
            FramesResent = stats.FramesResent;
            FramesDropped = stats.FramesDropped;
            Forecasts = stats.Forecasts;
            ForecastsSkipped = stats.ForecastsSkipped;
            FrameErrors = stats.FrameErrors;
            Malformed = stats.Malformed;
            Alerts = stats.Alerts;
            AlertsDropped = stats.AlertsDropped;
            BytesSent = stats.BytesSent;
            BytesReceived = stats.BytesReceived;
            NativeAllocations = stats.Allocations;
            LatencyUs = stats.LatencyUs;
            IsClockKnown = stats.ClockKnown != 0;
            RoundTripUs = stats.RoundTripUs;
            ClockOffsetUs = stats.ClockOffsetUs;
        }

        public PoseBridgeState State { get; }

        /// <summary>Sessions accepted so far: more than 1 after a reconnect.</summary>
        public ulong Sessions { get; }

        public ulong FramesGiven { get; }

        public ulong FramesSent { get; }

        /// <summary>Frames sent again after a reconnect.</summary>
        public ulong FramesResent { get; }

        /// <summary>Frames given but never sent: the queue was full, or there was no connection for too long.</summary>
        public ulong FramesDropped { get; }

        public ulong Forecasts { get; }

        /// <summary>Forecasts received and let go: all memory of the avatar was borrowed, or the shape made no sense.</summary>
        public ulong ForecastsSkipped { get; }

        /// <summary>Frames that the server did not use, or made no forecast of.</summary>
        public ulong FrameErrors { get; }

        /// <summary>Messages from the server that could not be read.</summary>
        public ulong Malformed { get; }

        public ulong Alerts { get; }

        /// <summary>Alerts forgotten before they were polled; the server's log has them.</summary>
        public ulong AlertsDropped { get; }

        public ulong BytesSent { get; }

        public ulong BytesReceived { get; }

        /// <summary>Times the native library took memory for forecasts on its background thread.</summary>
        public ulong NativeAllocations { get; }

        /// <summary>From the sending of a frame to the arrival of its forecast, newest forecast, in microseconds; 0 before it.</summary>
        public ulong LatencyUs { get; }

        /// <summary>Whether the two numbers below mean anything yet.</summary>
        public bool IsClockKnown { get; }

        /// <summary>Round trip to the server, in microseconds.</summary>
        public ulong RoundTripUs { get; }

        /// <summary>How far the server's clock is ahead of <see cref="PoseClock"/>, in microseconds.</summary>
        public long ClockOffsetUs { get; }
    }
}
