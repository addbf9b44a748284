-- What the hardware check found of a member (JSON: devices, how fast, whether its time was bounded).
ALTER TABLE launcher.member ADD COLUMN IF NOT EXISTS finding text;
