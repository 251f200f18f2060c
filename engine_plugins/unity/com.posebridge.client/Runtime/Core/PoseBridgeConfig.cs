// SPDX-License-Identifier: Apache-2.0

namespace PoseBridge
{
    /// <summary>
    /// How a client is set up. Where a default is named, a number that is 0 and a text that is null take it.
    /// </summary>
    public sealed class PoseBridgeConfig
    {
        /// <summary>Where the server's ZeroMQ front listens, for example "tcp://127.0.0.1:50552". Required.</summary>
        public string Endpoint { get; set; }

        /// <summary>Who connects: 1 to 64 of A-Z a-z 0-9 _ . : - ; shows in the server's logs. Default "game".</summary>
        public string ClientName { get; set; }

        /// <summary>Id of the landmark layout. Default "mediapipe.pose.33".</summary>
        public string LayoutId { get; set; }

        /// <summary>Number of landmarks of the layout, J, 1 to 600. Default 33.</summary>
        public int Landmarks { get; set; }

        /// <summary>Forecasts per second and avatar. Default: the server's (30 Hz).</summary>
        public float ForecastRateHz { get; set; }

        /// <summary>How far forecasts reach, in milliseconds. Default: the server's (1000).</summary>
        public int HorizonMs { get; set; }

        /// <summary>Trajectories that are drawn for a forecast. Default: the server's (32).</summary>
        public int Samples { get; set; }

        /// <summary>Futures that are returned, K, up to 16. Default: the server's (5).</summary>
        public int Futures { get; set; }

        /// <summary>Age in milliseconds after which a forecast is no longer worth computing. Default: the server's (1000).</summary>
        public int DeadlineMs { get; set; }

        /// <summary>Makes draws repeatable; 0: the server chooses.</summary>
        public ulong Seed { get; set; }

        /// <summary>A landmark with less visibility (0 to 1) counts as unseen. Default 0.1.</summary>
        public float VisibilityThreshold { get; set; }

        /// <summary>Watch the motion and raise alerts, where the server has a calibration.</summary>
        public bool Anomaly { get; set; } = true;

        /// <summary>False alarms that are acceptable per hour and avatar. Default: the server's (1).</summary>
        public float FalseAlarmsPerHour { get; set; }

        /// <summary>Axes and units of everything that goes in and out.</summary>
        public PoseAxes Axes { get; set; } = PoseAxes.Unity;

        /// <summary>Most avatars, up to 1024. Default 16.</summary>
        public int MaxAvatars { get; set; }

        /// <summary>Frames of one avatar that may wait to be sent. Default 8.</summary>
        public int SendQueueFrames { get; set; }

        /// <summary>Frames of one avatar that are kept to be sent again after a reconnect. Default 128.</summary>
        public int ResendFrames { get; set; }

        /// <summary>Time in milliseconds over which poses pass from an older forecast to a newer one; 0: at once.</summary>
        public int BlendMs { get; set; } = 100;

        /// <summary>Time in milliseconds for which poses go on past the end of a forecast before they hold; 0: not at all.</summary>
        public int ExtrapolateMs { get; set; } = 100;

        /// <summary>First pause between two tries to connect, in milliseconds. Default 100.</summary>
        public int ReconnectMinMs { get; set; }

        /// <summary>Longest pause between two tries to connect, in milliseconds. Default 3000.</summary>
        public int ReconnectMaxMs { get; set; }

        /// <summary>Silence in milliseconds after which the connection counts as lost. Default 4000.</summary>
        public int SilenceMs { get; set; }

        /// <summary>Server's CURVE public key in Z85, 40 characters. All three keys or none.</summary>
        public string ServerPublicKey { get; set; }

        /// <summary>This client's CURVE public key in Z85, 40 characters.</summary>
        public string ClientPublicKey { get; set; }

        /// <summary>This client's CURVE secret key in Z85, 40 characters.</summary>
        public string ClientSecretKey { get; set; }

        /// <summary>For a server that asks for tokens.</summary>
        public string Token { get; set; }

        /// <summary>Landmarks with the default filled in.</summary>
        internal int LandmarksOrDefault => Landmarks == 0 ? MediaPipePose.LandmarkCount : Landmarks;

        /// <summary>Fill in a native struct that holds the library's defaults already.</summary>
        internal void WriteTo(ref NativeConfig native)
        {
            native.Landmarks = NotNegative(LandmarksOrDefault, "config.landmarks");
            native.ForecastRateHz = ForecastRateHz;
            native.HorizonMs = NotNegative(HorizonMs, "config.horizon_ms");
            native.Samples = NotNegative(Samples, "config.samples");
            native.Futures = NotNegative(Futures, "config.futures");
            native.DeadlineMs = NotNegative(DeadlineMs, "config.deadline_ms");
            native.Seed = Seed;
            native.Anomaly = Anomaly ? 1 : 0;
            native.FalseAlarmsPerHour = FalseAlarmsPerHour;
            native.Axes = (int)Axes;
            native.VisibilityThreshold = VisibilityThreshold;
            native.MaxAvatars = NotNegative(MaxAvatars, "config.max_avatars");
            native.SendQueueFrames = NotNegative(SendQueueFrames, "config.send_queue_frames");
            native.ResendFrames = NotNegative(ResendFrames, "config.resend_frames");
            native.BlendMs = NotNegative(BlendMs, "config.blend_ms");
            native.ExtrapolateMs = NotNegative(ExtrapolateMs, "config.extrapolate_ms");
            native.ReconnectMinMs = NotNegative(ReconnectMinMs, "config.reconnect_min_ms");
            native.ReconnectMaxMs = NotNegative(ReconnectMaxMs, "config.reconnect_max_ms");
            native.SilenceMs = NotNegative(SilenceMs, "config.silence_ms");
        }

        private static uint NotNegative(int value, string field)
        {
            if (value < 0)
            {
                throw new PoseBridgeArgumentException(field, "is " + value, "0 or more");
            }
            return (uint)value;
        }
    }
}
