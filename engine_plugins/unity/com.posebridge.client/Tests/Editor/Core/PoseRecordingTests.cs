// SPDX-License-Identifier: Apache-2.0

using System;
using System.IO;
using NUnit.Framework;

namespace PoseBridge.Tests
{
    [TestFixture]
    public sealed class PoseRecordingTests
    {
        [TestCase(false)]
        [TestCase(true)]
        public void WhatIsWrittenIsRead(bool hasRoot)
        {
            PoseRecording clip = new PoseRecording(TestClips.Make(4, hasRoot));
            Assert.That(clip.FrameCount, Is.EqualTo(4));
            Assert.That(clip.LandmarkCount, Is.EqualTo(TestClips.Landmarks));
            Assert.That(clip.LayoutId, Is.EqualTo("test.three"));
            Assert.That(clip.HasRoot, Is.EqualTo(hasRoot));
            Assert.That(clip.DurationUs, Is.EqualTo(3 * TestClips.IntervalUs));
            PoseFrame read = new PoseFrame(TestClips.Landmarks);
            for (int f = 0; f < 4; f++)
            {
                PoseFrame written = TestClips.Frame(f, hasRoot);
                clip.Read(f, read);
                Assert.That(read.TimestampUs, Is.EqualTo(written.TimestampUs));
                Assert.That(read.Detected, Is.EqualTo(written.Detected));
                Assert.That(read.Landmarks, Is.EqualTo(written.Landmarks));
                Assert.That(read.HasRoot, Is.EqualTo(hasRoot));
                Assert.That(read.Root, Is.EqualTo(written.Root));
            }
        }

        [Test]
        public void FramesInUnityAxesAreStoredInThoseOfMediaPipe()
        {
            MemoryStream stream = new MemoryStream();
            using (PoseRecordingWriter writer = new PoseRecordingWriter(stream, "test.one", 1, true))
            {
                PoseFrame frame = new PoseFrame(1)
                {
                    TimestampUs = 1, Detected = true, Axes = PoseAxes.Unity, HasRoot = true, Root = new PosePoint(7, 8, 9),
                };
                frame.SetLandmark(0, 1, 2, 3, 0.25f);
                writer.Write(frame);
            }
            PoseFrame read = new PoseFrame(1);
            new PoseRecording(stream.ToArray()).Read(0, read);
            Assert.That(read.Landmarks, Is.EqualTo(new[] { 1f, -2f, 3f, 0.25f }));
            Assert.That(read.Root, Is.EqualTo(new PosePoint(7, -8, 9)));
        }

        [Test]
        public void HeaderHasTheDocumentedLayout()
        {
            byte[] bytes = TestClips.Make(2, true);
            Assert.That(bytes.Length, Is.EqualTo(88 + 2 * (16 + 3 * 16 + 24)));
            Assert.That(System.Text.Encoding.ASCII.GetString(bytes, 0, 5), Is.EqualTo("PBREC"));
            Assert.That(new[] { bytes[5], bytes[6], bytes[7] }, Is.EqualTo(new byte[] { 0, 0, 1 }));
            Assert.That(BitConverter.ToUInt32(bytes, 8), Is.EqualTo(3u));
            Assert.That(BitConverter.ToUInt32(bytes, 12), Is.EqualTo(1u));
            Assert.That(BitConverter.ToUInt64(bytes, 16), Is.EqualTo(2ul));
        }

        [Test]
        public void DamageIsNamedByItsField()
        {
            ExpectProblem("magic", bytes => bytes[0] = (byte)'X');
            ExpectProblem("landmarks", bytes => bytes[8] = 0);
            ExpectProblem("landmarks", bytes => bytes[10] = 1);
            ExpectProblem("flags", bytes => bytes[12] = 2);
            ExpectProblem("frames", bytes => bytes[16] = 9);
            ExpectProblem("frames", bytes => bytes[23] = 0x80);
            ExpectProblem("layout_id", bytes => bytes[24] = 0);
            // The second frame's time becomes 0.
            ExpectProblem("timestamp_us", bytes => Array.Clear(bytes, 88 + 64, 8));
        }

        [Test]
        public void ShortFilesAreRefused()
        {
            byte[] bytes = TestClips.Make(2, false);
            foreach (int length in new[] { 0, 7, 87, 88, bytes.Length - 1 })
            {
                byte[] cut = new byte[length];
                Array.Copy(bytes, cut, length);
                Assert.Throws<PoseRecordingException>(() => new PoseRecording(cut));
            }
        }

        [Test]
        public void WriterRefusesWhatAClipCannotHold()
        {
            using (PoseRecordingWriter writer = new PoseRecordingWriter(new MemoryStream(), "test.three", 3, false))
            {
                writer.Write(TestClips.Frame(5, false));
                Expect("timestamp_us", () => writer.Write(TestClips.Frame(5, false)));
                Expect("frame", () => writer.Write(TestClips.Frame(6, true)));
                Expect("frame", () => writer.Write(new PoseFrame(4)));
            }
            Expect("landmarks", () => new PoseRecordingWriter(new MemoryStream(), "test", 601, false));
            Expect("layout_id", () => new PoseRecordingWriter(new MemoryStream(), new string('x', 65), 3, false));
        }

        private static void ExpectProblem(string field, Action<byte[]> damage)
        {
            byte[] bytes = TestClips.Make(2, false);
            damage(bytes);
            PoseRecordingException error = Assert.Throws<PoseRecordingException>(() => new PoseRecording(bytes));
            Assert.That(error.Field, Is.EqualTo(field));
            Assert.That(error.Problem, Is.Not.Empty);
            Assert.That(error.Expected, Is.Not.Empty);
        }

        private static void Expect(string field, TestDelegate call)
        {
            Assert.That(Assert.Throws<PoseBridgeArgumentException>(call).Field, Is.EqualTo(field));
        }
    }
}
