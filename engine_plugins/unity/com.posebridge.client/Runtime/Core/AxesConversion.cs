// SPDX-License-Identifier: Apache-2.0

namespace PoseBridge
{
    /// <summary>Conversion between the axes and units of <see cref="PoseAxes"/>.</summary>
    public static class AxesConversion
    {
        /// <summary>Convert points of three numbers each. Source and target may be the same array.</summary>
        /// <param name="from">Axes of <paramref name="source"/>.</param>
        /// <param name="to">Axes of <paramref name="target"/>.</param>
        /// <param name="source">(count, 3)</param>
        /// <param name="target">(count, 3)</param>
        /// <param name="count">Number of points.</param>
        public static unsafe void ConvertPoints(PoseAxes from, PoseAxes to, float[] source, float[] target, int count)
        {
            Require(source, 3 * count, "source");
            Require(target, 3 * count, "target");
            int result;
            fixed (float* input = source)
            fixed (float* output = target)
            {
                result = UnsafeNativeMethods.posebridge_convert_points((int)from, (int)to, input, output, (uint)count);
            }
            if (result < 0)
            {
                throw new PoseBridgeArgumentException("axes", "is " + from + " to " + to, "MediaPipe, Unity or Unreal");
            }
        }

        /// <summary>
        /// Convert landmarks of four numbers each (x, y, z, visibility); visibility stays. Source and target may be the same array.
        /// </summary>
        /// <param name="from">Axes of <paramref name="source"/>.</param>
        /// <param name="to">Axes of <paramref name="target"/>.</param>
        /// <param name="source">(count, 4)</param>
        /// <param name="target">(count, 4)</param>
        /// <param name="count">Number of landmarks.</param>
        public static void ConvertLandmarks(PoseAxes from, PoseAxes to, float[] source, float[] target, int count)
        {
            Require(source, 4 * count, "source");
            Require(target, 4 * count, "target");
            for (int at = 0; at < 4 * count; at += 4)
            {
                PosePoint point = Convert(from, to, new PosePoint(source[at], source[at + 1], source[at + 2]));
                target[at] = (float)point.X;
                target[at + 1] = (float)point.Y;
                target[at + 2] = (float)point.Z;
                target[at + 3] = source[at + 3];
            }
        }

        /// <summary>Convert one point.</summary>
        public static PosePoint Convert(PoseAxes from, PoseAxes to, PosePoint point)
        {
            return from == to ? point : FromMediaPipe(to, ToMediaPipe(from, point));
        }

        private static PosePoint ToMediaPipe(PoseAxes from, PosePoint point)
        {
            switch (from)
            {
                case PoseAxes.MediaPipe:
                    return point;
                case PoseAxes.Unity:
                    return new PosePoint(point.X, -point.Y, point.Z);
                case PoseAxes.Unreal:
                    return new PosePoint(point.Y / 100, -point.Z / 100, point.X / 100);
                default:
                    throw new PoseBridgeArgumentException("from", "is " + from, "MediaPipe, Unity or Unreal");
            }
        }

        private static PosePoint FromMediaPipe(PoseAxes to, PosePoint point)
        {
            switch (to)
            {
                case PoseAxes.MediaPipe:
                    return point;
                case PoseAxes.Unity:
                    return new PosePoint(point.X, -point.Y, point.Z);
                case PoseAxes.Unreal:
                    return new PosePoint(100 * point.Z, 100 * point.X, -100 * point.Y);
                default:
                    throw new PoseBridgeArgumentException("to", "is " + to, "MediaPipe, Unity or Unreal");
            }
        }

        private static void Require(float[] array, int length, string field)
        {
            if (array == null || array.Length < length || length < 0)
            {
                string problem = array == null ? "is null" : "has " + array.Length + " numbers";
                throw new PoseBridgeArgumentException(field, problem, length + " numbers or more");
            }
        }
    }
}
