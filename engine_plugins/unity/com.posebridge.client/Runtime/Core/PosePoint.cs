// SPDX-License-Identifier: Apache-2.0

namespace PoseBridge
{
    /// <summary>A point in the axes and units of whoever returned it.</summary>
    public struct PosePoint
    {
        public double X;
        public double Y;
        public double Z;

        public PosePoint(double x, double y, double z)
        {
            X = x;
            Y = y;
            Z = z;
        }
    }
}
