// SPDX-License-Identifier: Apache-2.0

namespace PoseBridge
{
    /// <summary>The fixed numbers of the .pbr format; see Documentation~/recording-format.md.</summary>
    internal static class PoseRecordingHeader
    {
        internal const int MagicBytes = 8;
        internal const int LayoutIdBytes = 64;

        /// <summary>magic, J, flags, frame count, layout id.</summary>
        internal const int Bytes = MagicBytes + 4 + 4 + 8 + LayoutIdBytes;

        internal const int FrameCountOffset = MagicBytes + 4 + 4;
        internal const uint RootFlag = 1;
        internal const int MaxLandmarks = 600;

        internal static readonly byte[] Magic = { (byte)'P', (byte)'B', (byte)'R', (byte)'E', (byte)'C', 0, 0, 1 };

        internal static long FrameBytes(int landmarks, bool hasRoot)
        {
            return 8 + 8 + 16L * landmarks + (hasRoot ? 24 : 0);
        }
    }
}
