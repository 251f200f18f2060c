// SPDX-License-Identifier: Apache-2.0

using System.IO;

namespace PoseBridge.Tests
{
    /// <summary>Small clips whose every number is known.</summary>
    internal static class TestClips
    {
        internal const int Landmarks = 3;
        internal const ulong FirstUs = 5000000;
        internal const ulong IntervalUs = 40000;

        /// <summary>Frame f: landmark j at (f, j, f + j) / 10 in MediaPipe's axes; nobody seen in frame 1.</summary>
        internal static byte[] Make(int frames, bool hasRoot)
        {
            MemoryStream stream = new MemoryStream();
            using (PoseRecordingWriter writer = new PoseRecordingWriter(stream, "test.three", Landmarks, hasRoot))
            {
                for (int f = 0; f < frames; f++)
                {
                    writer.Write(Frame(f, hasRoot));
                }
            }
            return stream.ToArray();
        }

        internal static PoseFrame Frame(int f, bool hasRoot)
        {
            PoseFrame frame = new PoseFrame(Landmarks)
            {
                TimestampUs = FirstUs + (ulong)f * IntervalUs,
                Detected = f != 1,
                Axes = PoseAxes.MediaPipe,
                HasRoot = hasRoot,
                Root = hasRoot ? new PosePoint(f, 2, -f) : default(PosePoint),
            };
            for (int j = 0; j < Landmarks; j++)
            {
                frame.SetLandmark(j, f / 10f, j / 10f, (f + j) / 10f, 0.5f);
            }
            return frame;
        }
    }
}
