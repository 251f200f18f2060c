// SPDX-License-Identifier: Apache-2.0

using System;

namespace PoseBridge
{
    /// <summary>
    /// A forecast in the native library's memory: K futures, H steps, J landmarks, most probable future first, in the client's axes
    /// and units. Dispose it to give it back; disposing twice does no harm. After that, or after its client is disposed, reading it
    /// throws <see cref="ObjectDisposedException"/>.
    /// </summary>
    /// <remarks>Do not read it while another thread disposes the client; read a <see cref="ForecastCopy"/> instead.</remarks>
    public readonly unsafe struct BorrowedForecast : IDisposable
    {
        private readonly AvatarTrack _track;
        private readonly NativeForecast* _forecast;
        private readonly int _slot;
        private readonly uint _ticket;

        internal BorrowedForecast(AvatarTrack track, NativeForecast* forecast, int slot, uint ticket)
        {
            _track = track;
            _forecast = forecast;
            _slot = slot;
            _ticket = ticket;
        }

        /// <summary>False once it is given back or its client is disposed.</summary>
        public bool IsValid => _track != null && _track.IsBorrowed(_slot, _ticket);

        /// <summary>Number of the newest frame that it is based on.</summary>
        public ulong BasedOnSequence => Read()->BasedOnSequence;

        /// <summary>Time stamp of that frame. Step h, from 0, is at this plus (h + 1) times <see cref="StepUs"/>.</summary>
        public ulong BasedOnTimestampUs => Read()->BasedOnTimestampUs;

        /// <summary>Time from one step to the next, in microseconds.</summary>
        public uint StepUs => Read()->StepUs;

        /// <summary>K.</summary>
        public int Futures => (int)Read()->Futures;

        /// <summary>H.</summary>
        public int Steps => (int)Read()->Steps;

        /// <summary>J.</summary>
        public int Landmarks => (int)Read()->Landmarks;

        /// <summary>Whether <see cref="Root"/> is known, which it is if the frames carried a root.</summary>
        public bool HasRoots => Read()->Roots != null;

        /// <summary>How often normal motion is at least as surprising as what was seen, (0, 1]; below 0: not judged.</summary>
        public float PValue => Read()->PValue;

        /// <summary>Evidence so far, over the threshold of an alert: 1 raises one.</summary>
        public float Evidence => Read()->Evidence;

        /// <summary>The server gives less than was asked for, to keep up.</summary>
        public bool IsDegraded => Read()->Degraded != 0;

        /// <summary>From the frame's arrival at the server to the forecast's leaving it, in microseconds.</summary>
        public ulong AgeUs => Read()->AgeUs;

        /// <summary>When it came, in microseconds of <see cref="PoseClock"/>.</summary>
        public ulong ReceivedUs => Read()->ReceivedUs;

        /// <summary>Rises by one with every forecast of the avatar.</summary>
        public ulong Number => Read()->Number;

        internal NativeForecast* Native => Read();

        /// <summary>Probability of a future: above 0; all together 1; falling.</summary>
        public float Probability(int future)
        {
            NativeForecast* forecast = Read();
            Require(future, forecast->Futures, "future");
            return forecast->Probabilities[future];
        }

        /// <summary>Id of a future: one that continues a future of the previous forecast has the same.</summary>
        public uint ModeId(int future)
        {
            NativeForecast* forecast = Read();
            Require(future, forecast->Futures, "future");
            return forecast->ModeIds[future];
        }

        /// <summary>Where a landmark is, with the middle of the hips as the origin.</summary>
        public PosePoint Position(int future, int step, int landmark)
        {
            NativeForecast* forecast = Read();
            Require(future, forecast->Futures, "future");
            Require(step, forecast->Steps, "step");
            Require(landmark, forecast->Landmarks, "landmark");
            long at = ((long)future * forecast->Steps + step) * forecast->Landmarks + landmark;
            float* point = forecast->Positions + 3 * at;
            return new PosePoint(point[0], point[1], point[2]);
        }

        /// <summary>Where the middle of the hips is in your world.</summary>
        /// <exception cref="PoseBridgePreconditionException">The frames carried no root.</exception>
        public PosePoint Root(int future, int step)
        {
            NativeForecast* forecast = Read();
            Require(future, forecast->Futures, "future");
            Require(step, forecast->Steps, "step");
            if (forecast->Roots == null)
            {
                throw new PoseBridgePreconditionException("root", "is not known", "frames that carry a root");
            }
            float* point = forecast->Roots + 3 * ((long)future * forecast->Steps + step);
            return new PosePoint(point[0], point[1], point[2]);
        }

        /// <summary>
        /// How far apart everything that was drawn lies: root mean square distance from the mean, in the client's units.
        /// </summary>
        public float Spread(int step, int landmark)
        {
            NativeForecast* forecast = Read();
            Require(step, forecast->Steps, "step");
            Require(landmark, forecast->Landmarks, "landmark");
            return forecast->Spread[(long)step * forecast->Landmarks + landmark];
        }

        /// <summary>Give it back.</summary>
        public void Dispose()
        {
            if (_track != null)
            {
                _track.Release(_slot, _ticket, _forecast);
            }
        }

        private NativeForecast* Read()
        {
            if (!IsValid)
            {
                throw new ObjectDisposedException("BorrowedForecast", "the forecast was given back, or its client was disposed");
            }
            return _forecast;
        }

        private static void Require(int index, uint count, string field)
        {
            if (index < 0 || index >= count)
            {
                throw new PoseBridgeArgumentException(field, "is " + index, "0 to " + ((long)count - 1));
            }
        }
    }
}
