// SPDX-License-Identifier: Apache-2.0

using System;
using System.IO;
using System.Text;

namespace PoseBridge
{
    /// <summary>A recorded clip of one body, in memory. The format is described in Documentation~/recording-format.md.</summary>
    public sealed class PoseRecording
    {
        private readonly byte[] _bytes;
        private readonly float[] _landmarks;

        /// <summary>Read a clip.</summary>
        /// <param name="bytes">The file's content; kept, not copied.</param>
        /// <exception cref="PoseRecordingException">It is no such file, or is damaged.</exception>
        public PoseRecording(byte[] bytes)
        {
            if (bytes == null)
            {
                throw new PoseBridgeArgumentException("bytes", "is null", "the content of a .pbr file");
            }
            _bytes = bytes;
            CheckHeader();
            // As they lie in the file; every platform of the package is little-endian.
            _landmarks = new float[4 * LandmarkCount];
            CheckFrames();
        }

        /// <summary>Landmarks of a pose, J.</summary>
        public int LandmarkCount { get; private set; }

        public string LayoutId { get; private set; }

        public int FrameCount { get; private set; }

        /// <summary>Whether frames carry the body's place in the world.</summary>
        public bool HasRoot { get; private set; }

        /// <summary>From the first frame to the last, in microseconds.</summary>
        public ulong DurationUs => TimestampUs(FrameCount - 1) - TimestampUs(0);

        /// <summary>Read a clip from a file.</summary>
        public static PoseRecording Load(string path)
        {
            return new PoseRecording(File.ReadAllBytes(path));
        }

        /// <summary>A frame's time, in microseconds of the recording's clock.</summary>
        public ulong TimestampUs(int frame)
        {
            return BitConverter.ToUInt64(_bytes, Offset(frame));
        }

        /// <summary>Copy a frame, with its own time stamp, in MediaPipe's axes and metres. Makes no garbage.</summary>
        public void Read(int frame, PoseFrame target)
        {
            if (target == null || target.LandmarkCount != LandmarkCount)
            {
                string problem = target == null ? "is null" : "has " + target.LandmarkCount + " landmarks";
                throw new PoseBridgeArgumentException("target", problem, "a PoseFrame of " + LandmarkCount + " landmarks");
            }
            int at = Offset(frame);
            target.TimestampUs = BitConverter.ToUInt64(_bytes, at);
            target.Detected = _bytes[at + 8] != 0;
            target.Axes = PoseAxes.MediaPipe;
            at += 16;
            Buffer.BlockCopy(_bytes, at, _landmarks, 0, 16 * LandmarkCount);
            Array.Copy(_landmarks, target.Landmarks, _landmarks.Length);
            at += 16 * LandmarkCount;
            target.HasRoot = HasRoot;
            target.Root = HasRoot
                ? new PosePoint(
                    BitConverter.ToDouble(_bytes, at),
                    BitConverter.ToDouble(_bytes, at + 8),
                    BitConverter.ToDouble(_bytes, at + 16))
                : default(PosePoint);
        }

        private int Offset(int frame)
        {
            if (frame < 0 || frame >= FrameCount)
            {
                throw new PoseBridgeArgumentException("frame", "is " + frame, "0 to " + (FrameCount - 1));
            }
            return PoseRecordingHeader.Bytes + (int)(frame * PoseRecordingHeader.FrameBytes(LandmarkCount, HasRoot));
        }

        private void CheckHeader()
        {
            if (_bytes.Length < PoseRecordingHeader.Bytes)
            {
                throw new PoseRecordingException(
                    "header", "the file has " + _bytes.Length + " bytes", PoseRecordingHeader.Bytes + " or more");
            }
            for (int i = 0; i < PoseRecordingHeader.MagicBytes; i++)
            {
                if (_bytes[i] != PoseRecordingHeader.Magic[i])
                {
                    throw new PoseRecordingException(
                        "magic", "byte " + i + " is " + _bytes[i], "a .pbr file: \"PBREC\" and the bytes 0 0 1");
                }
            }
            uint landmarks = BitConverter.ToUInt32(_bytes, 8);
            if (landmarks < 1 || landmarks > PoseRecordingHeader.MaxLandmarks)
            {
                throw new PoseRecordingException("landmarks", "is " + landmarks, "1 to " + PoseRecordingHeader.MaxLandmarks);
            }
            uint flags = BitConverter.ToUInt32(_bytes, 12);
            if ((flags & ~PoseRecordingHeader.RootFlag) != 0)
            {
                throw new PoseRecordingException("flags", "is " + flags, "0, or 1 for frames with a root");
            }
            LandmarkCount = (int)landmarks;
            HasRoot = (flags & PoseRecordingHeader.RootFlag) != 0;
            LayoutId = ReadLayoutId();
            ulong frames = BitConverter.ToUInt64(_bytes, PoseRecordingHeader.FrameCountOffset);
            long frameBytes = PoseRecordingHeader.FrameBytes(LandmarkCount, HasRoot);
            long present = _bytes.Length - PoseRecordingHeader.Bytes;
            if (frames < 1 || frames > int.MaxValue || (long)frames * frameBytes != present)
            {
                throw new PoseRecordingException(
                    "frames",
                    "the header says " + frames + ", the file holds " + present + " bytes of frames",
                    "1 frame or more, of " + frameBytes + " bytes each");
            }
            FrameCount = (int)frames;
        }

        private void CheckFrames()
        {
            for (int frame = 1; frame < FrameCount; frame++)
            {
                if (TimestampUs(frame) <= TimestampUs(frame - 1))
                {
                    throw new PoseRecordingException(
                        "timestamp_us",
                        "frame " + frame + " has " + TimestampUs(frame) + ", the one before it " + TimestampUs(frame - 1),
                        "times that rise");
                }
            }
        }

        private string ReadLayoutId()
        {
            int start = PoseRecordingHeader.Bytes - PoseRecordingHeader.LayoutIdBytes;
            int length = 0;
            while (length < PoseRecordingHeader.LayoutIdBytes && _bytes[start + length] != 0)
            {
                length++;
            }
            if (length == 0)
            {
                throw new PoseRecordingException("layout_id", "is empty", "1 to 64 bytes, such as " + MediaPipePose.LayoutId);
            }
            return Encoding.UTF8.GetString(_bytes, start, length);
        }
    }
}
