// SPDX-License-Identifier: Apache-2.0

using System;

namespace PoseBridge
{
    /// <summary>
    /// One avatar of a client: observed poses go in, forecasts come out. Made by <see cref="PoseBridgeClient.AddAvatar"/>; lives as
    /// long as the client. Use it from one thread at a time. After the first forecast no method here makes garbage.
    /// </summary>
    public sealed unsafe class AvatarTrack
    {
        /// <summary>For <see cref="TryGetPose"/>: the mean of all futures, weighted by their probabilities.</summary>
        public const int MeanFuture = -1;

        /// <summary>Forecasts of one avatar that may be borrowed at a time.</summary>
        public const int MaxBorrowed = 4;

        private readonly PoseBridgeClient _client;
        private readonly int _avatar;
        private readonly float[] _converted;
        private readonly uint[] _tickets = new uint[MaxBorrowed];
        private uint _lastTicket;

        internal AvatarTrack(PoseBridgeClient client, string avatarId, int avatar)
        {
            _client = client;
            _avatar = avatar;
            AvatarId = avatarId;
            _converted = new float[4 * client.LandmarkCount];
        }

        public string AvatarId { get; }

        /// <summary>Axes and units of everything that goes in and out.</summary>
        public PoseAxes Axes => _client.Axes;

        /// <summary>Landmarks of a pose, J.</summary>
        public int LandmarkCount => _client.LandmarkCount;

        /// <summary>Number of the newest frame that was sent; it comes back as a forecast's BasedOnSequence.</summary>
        public ulong LastSequence { get; private set; }

        /// <summary>Number of the newest forecast, 0 before the first: tells whether there is something new.</summary>
        public ulong ForecastNumber => UnsafeNativeMethods.posebridge_forecast_number(_client.Handle, _avatar);

        /// <summary>Hand over an observed pose; never waits.</summary>
        /// <param name="timestampUs">Time of capture in microseconds, on a clock that does not go back; above 0.</param>
        /// <param name="landmarks">(J, 4): x, y, z in the client's axes and units, visibility from 0 to 1.</param>
        public SendResult Send(ulong timestampUs, float[] landmarks)
        {
            RequireLandmarks(landmarks);
            fixed (float* numbers = landmarks)
            {
                return Send(timestampUs, numbers, null);
            }
        }

        /// <summary>Hand over an observed pose and where it is in your world. Do so always or never for one avatar.</summary>
        /// <param name="timestampUs">Time of capture in microseconds, on a clock that does not go back; above 0.</param>
        /// <param name="landmarks">(J, 4): x, y, z in the client's axes and units, visibility from 0 to 1.</param>
        /// <param name="root">Where the origin of the landmarks is in your world, in the client's axes and units.</param>
        public SendResult Send(ulong timestampUs, float[] landmarks, PosePoint root)
        {
            RequireLandmarks(landmarks);
            double* numbers = stackalloc double[3];
            numbers[0] = root.X;
            numbers[1] = root.Y;
            numbers[2] = root.Z;
            fixed (float* input = landmarks)
            {
                return Send(timestampUs, input, numbers);
            }
        }

        /// <summary>Say that nobody was seen at a time.</summary>
        /// <param name="timestampUs">Time of capture in microseconds, on a clock that does not go back; above 0.</param>
        public SendResult SendUndetected(ulong timestampUs)
        {
            return Send(timestampUs, null, null);
        }

        /// <summary>Hand over a frame; its axes may differ from the client's.</summary>
        public SendResult Send(PoseFrame frame)
        {
            if (frame == null)
            {
                throw new PoseBridgeArgumentException("frame", "is null", "a PoseFrame");
            }
            if (!frame.Detected)
            {
                return SendUndetected(frame.TimestampUs);
            }
            RequireLandmarks(frame.Landmarks);
            float[] landmarks = frame.Landmarks;
            if (frame.Axes != Axes)
            {
                AxesConversion.ConvertLandmarks(frame.Axes, Axes, landmarks, _converted, LandmarkCount);
                landmarks = _converted;
            }
            return frame.HasRoot
                ? Send(frame.TimestampUs, landmarks, AxesConversion.Convert(frame.Axes, Axes, frame.Root))
                : Send(frame.TimestampUs, landmarks);
        }

        /// <summary>
        /// The newest forecast, without a copy; false before the first. Its numbers stay as they are until it is disposed. At most
        /// <see cref="MaxBorrowed"/> may be borrowed at a time.
        /// </summary>
        /// <example><code>
        /// BorrowedForecast forecast;
        /// if (track.TryBorrowForecast(out forecast))
        /// {
        ///     using (forecast) { Use(forecast.Probability(0)); }
        /// }
        /// </code></example>
        public bool TryBorrowForecast(out BorrowedForecast forecast)
        {
            NativeForecast* native = null;
            int result = UnsafeNativeMethods.posebridge_borrow_forecast(_client.Handle, _avatar, &native);
            _client.Throw(result);
            if (result != NativeResult.Ok)
            {
                forecast = default(BorrowedForecast);
                return false;
            }
            int slot = Array.IndexOf(_tickets, 0u);
            // Never 0, which marks a free slot.
            _lastTicket = _lastTicket == uint.MaxValue ? 1 : _lastTicket + 1;
            _tickets[slot] = _lastTicket;
            forecast = new BorrowedForecast(this, native, slot, _lastTicket);
            return true;
        }

        /// <summary>Copy the newest forecast; false before the first.</summary>
        public bool TryCopyForecast(ForecastCopy copy)
        {
            if (copy == null)
            {
                throw new PoseBridgeArgumentException("copy", "is null", "a ForecastCopy");
            }
            BorrowedForecast forecast;
            if (!TryBorrowForecast(out forecast))
            {
                return false;
            }
            using (forecast)
            {
                copy.CopyFrom(forecast);
            }
            return true;
        }

        /// <summary>Where the avatar is at a time; false before the first forecast.</summary>
        /// <remarks>
        /// Between steps the pose moves linearly; past the end of the forecast it goes on for
        /// <see cref="PoseBridgeConfig.ExtrapolateMs"/>, then holds. When a newer forecast comes the pose passes over to it within
        /// <see cref="PoseBridgeConfig.BlendMs"/> and does not jump.
        /// </remarks>
        /// <param name="timeUs">Microseconds on the clock that frames are stamped with.</param>
        /// <param name="future">0 is the most probable one, up to K - 1; or <see cref="MeanFuture"/>.</param>
        /// <param name="pose">Filled in.</param>
        public bool TryGetPose(ulong timeUs, int future, PoseSnapshot pose)
        {
            if (pose == null || pose.LandmarkCount != LandmarkCount)
            {
                string problem = pose == null ? "is null" : "has " + pose.LandmarkCount + " landmarks";
                throw new PoseBridgeArgumentException("pose", problem, "a PoseSnapshot of " + LandmarkCount + " landmarks");
            }
            NativePose native = default(NativePose);
            native.Size = (UIntPtr)sizeof(NativePose);
            int result;
            fixed (float* positions = pose.Positions)
            {
                native.Positions = positions;
                result = UnsafeNativeMethods.posebridge_pose_at(_client.Handle, _avatar, timeUs, future, &native);
            }
            _client.Throw(result);
            if (result != NativeResult.Ok)
            {
                return false;
            }
            pose.HasRoot = native.HasRoot != 0;
            pose.Root = new PosePoint(native.Root[0], native.Root[1], native.Root[2]);
            pose.Probability = native.Probability;
            pose.ModeId = native.ModeId;
            pose.AheadUs = native.AheadUs;
            pose.BeyondUs = native.BeyondUs;
            pose.ForecastNumber = native.Number;
            return true;
        }

        /// <summary>
        /// Rotations of the humanoid skeleton for a pose of this avatar; false if the body has no extent. Only for 33 landmarks.
        /// </summary>
        /// <param name="pose">From <see cref="TryGetPose"/>.</param>
        /// <param name="local">Set to each joint's rotation relative to its parent; may be null.</param>
        /// <param name="global">Set to each joint's rotation relative to the world; may be null.</param>
        public bool TryGetJointRotations(PoseSnapshot pose, JointRotation[] local, JointRotation[] global)
        {
            if (pose == null)
            {
                throw new PoseBridgeArgumentException("pose", "is null", "a PoseSnapshot");
            }
            return HumanoidPose.TryComputeRotations(Axes, pose.Positions, local, global);
        }

        internal bool IsBorrowed(int slot, uint ticket)
        {
            return ticket != 0 && _tickets[slot] == ticket && !_client.IsDisposed;
        }

        internal void Release(int slot, uint ticket, NativeForecast* forecast)
        {
            if (ticket == 0 || _tickets[slot] != ticket)
            {
                return;
            }
            _tickets[slot] = 0;
            if (!_client.IsDisposed)
            {
                _client.Throw(UnsafeNativeMethods.posebridge_release_forecast(_client.Handle, _avatar, forecast));
            }
        }

        private SendResult Send(ulong timestampUs, float* landmarks, double* root)
        {
            ulong sequence = 0;
            int result = UnsafeNativeMethods.posebridge_send_frame(
                _client.Handle, _avatar, timestampUs, landmarks, root, &sequence);
            _client.Throw(result);
            LastSequence = sequence;
            return (SendResult)result;
        }

        private void RequireLandmarks(float[] landmarks)
        {
            if (landmarks == null || landmarks.Length != 4 * LandmarkCount)
            {
                string problem = landmarks == null ? "is null" : "has " + landmarks.Length + " numbers";
                throw new PoseBridgeArgumentException(
                    "landmarks", problem, 4 * LandmarkCount + " numbers: " + LandmarkCount + " landmarks of x, y, z, visibility");
            }
        }
    }
}
