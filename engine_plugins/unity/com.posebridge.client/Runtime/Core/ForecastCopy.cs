// SPDX-License-Identifier: Apache-2.0

using System;
using System.Runtime.InteropServices;

namespace PoseBridge
{
    /// <summary>
    /// A forecast in managed arrays, made once and filled in again and again. Arrays grow with the first forecast, or a larger one,
    /// and may be longer than the numbers in them: go by <see cref="Futures"/>, <see cref="Steps"/> and <see cref="Landmarks"/>.
    /// </summary>
    public sealed unsafe class ForecastCopy
    {
        private float[] _positions = new float[0];
        private float[] _roots = new float[0];
        private float[] _probabilities = new float[0];
        private int[] _modeIds = new int[0];
        private float[] _spread = new float[0];

        /// <summary>K.</summary>
        public int Futures { get; private set; }

        /// <summary>H.</summary>
        public int Steps { get; private set; }

        /// <summary>J.</summary>
        public int Landmarks { get; private set; }

        public ulong BasedOnSequence { get; private set; }

        public ulong BasedOnTimestampUs { get; private set; }

        /// <summary>Time from one step to the next, in microseconds.</summary>
        public uint StepUs { get; private set; }

        public bool HasRoots { get; private set; }

        public float PValue { get; private set; }

        public float Evidence { get; private set; }

        public bool IsDegraded { get; private set; }

        public ulong AgeUs { get; private set; }

        public ulong ReceivedUs { get; private set; }

        public ulong Number { get; private set; }

        /// <summary>(K, H, J, 3) in the client's axes and units, origin at the middle of the hips.</summary>
        public float[] Positions => _positions;

        /// <summary>(K, H, 3): the middle of the hips in your world, if <see cref="HasRoots"/>.</summary>
        public float[] Roots => _roots;

        /// <summary>(K)</summary>
        public float[] Probabilities => _probabilities;

        /// <summary>(H, J): root mean square distance of everything drawn from its mean, in the client's units.</summary>
        public float[] Spread => _spread;

        /// <summary>Id of a future.</summary>
        public uint ModeId(int future)
        {
            return unchecked((uint)_modeIds[future]);
        }

        /// <summary>Place of a landmark's x in <see cref="Positions"/>; y and z follow.</summary>
        public int PositionIndex(int future, int step, int landmark)
        {
            return 3 * ((future * Steps + step) * Landmarks + landmark);
        }

        /// <summary>Take over everything from a borrowed forecast.</summary>
        public void CopyFrom(BorrowedForecast forecast)
        {
            NativeForecast* native = forecast.Native;
            Futures = (int)native->Futures;
            Steps = (int)native->Steps;
            Landmarks = (int)native->Landmarks;
            BasedOnSequence = native->BasedOnSequence;
            BasedOnTimestampUs = native->BasedOnTimestampUs;
            StepUs = native->StepUs;
            HasRoots = native->Roots != null;
            PValue = native->PValue;
            Evidence = native->Evidence;
            IsDegraded = native->Degraded != 0;
            AgeUs = native->AgeUs;
            ReceivedUs = native->ReceivedUs;
            Number = native->Number;
            Copy(native->Positions, ref _positions, Futures * Steps * Landmarks * 3);
            Copy(native->Roots, ref _roots, HasRoots ? Futures * Steps * 3 : 0);
            Copy(native->Probabilities, ref _probabilities, Futures);
            Copy(native->Spread, ref _spread, Steps * Landmarks);
            if (_modeIds.Length < Futures)
            {
                _modeIds = new int[Futures];
            }
            Marshal.Copy((IntPtr)native->ModeIds, _modeIds, 0, Futures);
        }

        private static void Copy(float* source, ref float[] target, int count)
        {
            if (target.Length < count)
            {
                target = new float[count];
            }
            if (count > 0)
            {
                Marshal.Copy((IntPtr)source, target, 0, count);
            }
        }
    }
}
