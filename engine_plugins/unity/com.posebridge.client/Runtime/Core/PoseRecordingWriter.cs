// SPDX-License-Identifier: Apache-2.0

using System;
using System.IO;
using System.Text;

namespace PoseBridge
{
    /// <summary>Writes a clip in the .pbr format. The frame count is filled in by <see cref="Dispose"/>.</summary>
    public sealed class PoseRecordingWriter : IDisposable
    {
        private readonly BinaryWriter _writer;
        private readonly float[] _landmarks;
        private readonly int _landmarkCount;
        private readonly bool _hasRoot;
        private ulong _frames;
        private ulong _lastUs;
        private bool _disposed;

        /// <param name="stream">Where to write; must be able to seek. Closed by <see cref="Dispose"/>.</param>
        /// <param name="layoutId">Id of the landmark layout, up to 64 bytes.</param>
        /// <param name="landmarks">Landmarks of a pose, J.</param>
        /// <param name="hasRoot">Whether every frame carries a root.</param>
        public PoseRecordingWriter(Stream stream, string layoutId, int landmarks, bool hasRoot)
        {
            if (stream == null || !stream.CanSeek || !stream.CanWrite)
            {
                throw new PoseBridgeArgumentException("stream", "cannot be written or has no positions", "a file or a MemoryStream");
            }
            if (landmarks < 1 || landmarks > PoseRecordingHeader.MaxLandmarks)
            {
                throw new PoseBridgeArgumentException(
                    "landmarks", "is " + landmarks, "1 to " + PoseRecordingHeader.MaxLandmarks);
            }
            byte[] id = Encoding.UTF8.GetBytes(layoutId ?? "");
            if (id.Length < 1 || id.Length > PoseRecordingHeader.LayoutIdBytes)
            {
                throw new PoseBridgeArgumentException(
                    "layout_id", "has " + id.Length + " bytes", "1 to " + PoseRecordingHeader.LayoutIdBytes + " bytes");
            }
            _landmarkCount = landmarks;
            _hasRoot = hasRoot;
            _landmarks = new float[4 * landmarks];
            _writer = new BinaryWriter(stream);
            _writer.Write(PoseRecordingHeader.Magic);
            _writer.Write((uint)landmarks);
            _writer.Write(hasRoot ? PoseRecordingHeader.RootFlag : 0u);
            _writer.Write(0ul);
            _writer.Write(id);
            _writer.Write(new byte[PoseRecordingHeader.LayoutIdBytes - id.Length]);
        }

        /// <summary>Add a frame; its axes may be any.</summary>
        public void Write(PoseFrame frame)
        {
            if (frame == null || frame.LandmarkCount != _landmarkCount)
            {
                string problem = frame == null ? "is null" : "has " + frame.LandmarkCount + " landmarks";
                throw new PoseBridgeArgumentException("frame", problem, "a PoseFrame of " + _landmarkCount + " landmarks");
            }
            if (frame.HasRoot != _hasRoot)
            {
                string problem = frame.HasRoot ? "has a root" : "has no root";
                throw new PoseBridgeArgumentException("frame", problem, "a root in every frame or in none");
            }
            if (_frames > 0 && frame.TimestampUs <= _lastUs)
            {
                throw new PoseBridgeArgumentException(
                    "timestamp_us", "is " + frame.TimestampUs, "more than " + _lastUs + ", that of the frame before");
            }
            AxesConversion.ConvertLandmarks(frame.Axes, PoseAxes.MediaPipe, frame.Landmarks, _landmarks, _landmarkCount);
            _writer.Write(frame.TimestampUs);
            // One byte for "detected", seven of padding.
            _writer.Write(frame.Detected ? 1ul : 0ul);
            foreach (float number in _landmarks)
            {
                _writer.Write(number);
            }
            if (_hasRoot)
            {
                PosePoint root = AxesConversion.Convert(frame.Axes, PoseAxes.MediaPipe, frame.Root);
                _writer.Write(root.X);
                _writer.Write(root.Y);
                _writer.Write(root.Z);
            }
            _lastUs = frame.TimestampUs;
            _frames++;
        }

        /// <summary>Fill in the number of frames and close the stream.</summary>
        public void Dispose()
        {
            if (_disposed)
            {
                return;
            }
            _disposed = true;
            _writer.Flush();
            _writer.BaseStream.Position = PoseRecordingHeader.FrameCountOffset;
            _writer.Write(_frames);
            _writer.Dispose();
        }
    }
}
