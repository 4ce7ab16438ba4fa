BEGIN TRANSACTION;
CREATE TABLE "account_emailaddress" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "verified" bool NOT NULL, "primary" bool NOT NULL, "user_id" bigint NOT NULL REFERENCES "accounts_user" ("id") DEFERRABLE INITIALLY DEFERRED, "email" varchar(254) NOT NULL);
INSERT INTO "account_emailaddress" VALUES(1,0,1,1,'owner@holdfast.test');
INSERT INTO "account_emailaddress" VALUES(2,0,1,2,'colleague@holdfast.test');
CREATE TABLE "account_emailconfirmation" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "created" datetime NOT NULL, "sent" datetime NULL, "key" varchar(64) NOT NULL UNIQUE, "email_address_id" integer NOT NULL REFERENCES "account_emailaddress" ("id") DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE "accounts_apikey" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "provider" varchar(50) NOT NULL, "sealed" BLOB NOT NULL, "last_four" varchar(4) NOT NULL, "master_key_id" varchar(32) NOT NULL, "created_at" datetime NOT NULL, "last_used_at" datetime NULL, "last_checked_at" datetime NULL, "check_result" varchar(200) NOT NULL, "user_id" bigint NOT NULL REFERENCES "accounts_user" ("id") DEFERRABLE INITIALLY DEFERRED, CONSTRAINT "api_key_one_per_provider" UNIQUE ("user_id", "provider"));
INSERT INTO "accounts_apikey" VALUES(1,'openai',X'D28AE86611882AAAB757498DED5039D9F53D88DB6491EE3FDDB5F1E8CE926097BFF3417BB26EA9137C46CC261D1EB83D6F916026BCCEDA','cdef','sample','2026-11-28 07:50:34.424036','2026-11-28 07:51:31.548885','2026-11-28 07:50:34.433160','good',1);
CREATE TABLE "accounts_listedmodel" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "place" integer unsigned NOT NULL CHECK ("place" >= 0), "model_id" varchar(100) NOT NULL, "label" varchar(100) NOT NULL, "context_window" integer unsigned NULL CHECK ("context_window" >= 0), "max_output" integer unsigned NULL CHECK ("max_output" >= 0), "lifecycle" varchar(30) NOT NULL, "shutdown" date NULL, "key_id" bigint NOT NULL REFERENCES "accounts_apikey" ("id") DEFERRABLE INITIALLY DEFERRED, CONSTRAINT "listed_model_once_per_key" UNIQUE ("key_id", "model_id"));
INSERT INTO "accounts_listedmodel" VALUES(1,0,'gpt-6.2-astra','',NULL,NULL,'',NULL,1);
INSERT INTO "accounts_listedmodel" VALUES(2,1,'gpt-6.2-sol','',NULL,NULL,'',NULL,1);
INSERT INTO "accounts_listedmodel" VALUES(3,2,'gpt-4.1','',NULL,NULL,'','2027-01-14',1);
INSERT INTO "accounts_listedmodel" VALUES(4,3,'gpt-4o-mini','',NULL,NULL,'','2027-01-14',1);
CREATE TABLE "accounts_user" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "password" varchar(128) NOT NULL, "last_login" datetime NULL, "is_superuser" bool NOT NULL, "email" varchar(254) NOT NULL UNIQUE, "name" varchar(150) NOT NULL, "avatar" varchar(200) NOT NULL, "is_active" bool NOT NULL, "is_staff" bool NOT NULL, "date_joined" datetime NOT NULL, "revision" bigint NOT NULL, "background_replies" bool NOT NULL, CONSTRAINT "user_email_in_lower_case" CHECK ("email" = (LOWER("email"))));
INSERT INTO "accounts_user" VALUES(1,'pbkdf2_sha256$1000000$HHkjtDfpxhjzuvayuQHw6m$96EgV4ONSee0epkxNelZX+UCdU7X1FQCWXv+xZN/q60=','2026-11-28 07:50:32.004468',1,'owner@holdfast.test','','',1,1,'2026-11-28 07:50:31.583944',21,0);
INSERT INTO "accounts_user" VALUES(2,'pbkdf2_sha256$1000000$bojwMJAunVnXtXv1AGT4SE$swFyXb0QfQi/HpWle9s3Q5qE5wFqX8TKI16cUxNokR8=','2026-11-28 07:50:32.579401',0,'colleague@holdfast.test','','',1,0,'2026-11-28 07:50:32.197607',0,0);
CREATE TABLE "accounts_user_groups" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "user_id" bigint NOT NULL REFERENCES "accounts_user" ("id") DEFERRABLE INITIALLY DEFERRED, "group_id" integer NOT NULL REFERENCES "auth_group" ("id") DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE "accounts_user_user_permissions" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "user_id" bigint NOT NULL REFERENCES "accounts_user" ("id") DEFERRABLE INITIALLY DEFERRED, "permission_id" integer NOT NULL REFERENCES "auth_permission" ("id") DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE "auth_group" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "name" varchar(150) NOT NULL UNIQUE);
CREATE TABLE "auth_group_permissions" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "group_id" integer NOT NULL REFERENCES "auth_group" ("id") DEFERRABLE INITIALLY DEFERRED, "permission_id" integer NOT NULL REFERENCES "auth_permission" ("id") DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE "auth_permission" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "content_type_id" integer NOT NULL REFERENCES "django_content_type" ("id") DEFERRABLE INITIALLY DEFERRED, "codename" varchar(100) NOT NULL, "name" varchar(255) NOT NULL);
INSERT INTO "auth_permission" VALUES(1,1,'add_user','Can add user');
INSERT INTO "auth_permission" VALUES(2,1,'change_user','Can change user');
INSERT INTO "auth_permission" VALUES(3,1,'delete_user','Can delete user');
INSERT INTO "auth_permission" VALUES(4,1,'view_user','Can view user');
INSERT INTO "auth_permission" VALUES(5,2,'add_apikey','Can add API key');
INSERT INTO "auth_permission" VALUES(6,2,'change_apikey','Can change API key');
INSERT INTO "auth_permission" VALUES(7,2,'delete_apikey','Can delete API key');
INSERT INTO "auth_permission" VALUES(8,2,'view_apikey','Can view API key');
INSERT INTO "auth_permission" VALUES(9,3,'add_listedmodel','Can add listed model');
INSERT INTO "auth_permission" VALUES(10,3,'change_listedmodel','Can change listed model');
INSERT INTO "auth_permission" VALUES(11,3,'delete_listedmodel','Can delete listed model');
INSERT INTO "auth_permission" VALUES(12,3,'view_listedmodel','Can view listed model');
INSERT INTO "auth_permission" VALUES(13,4,'add_conversation','Can add conversation');
INSERT INTO "auth_permission" VALUES(14,4,'change_conversation','Can change conversation');
INSERT INTO "auth_permission" VALUES(15,4,'delete_conversation','Can delete conversation');
INSERT INTO "auth_permission" VALUES(16,4,'view_conversation','Can view conversation');
INSERT INTO "auth_permission" VALUES(17,5,'add_message','Can add message');
INSERT INTO "auth_permission" VALUES(18,5,'change_message','Can change message');
INSERT INTO "auth_permission" VALUES(19,5,'delete_message','Can delete message');
INSERT INTO "auth_permission" VALUES(20,5,'view_message','Can view message');
INSERT INTO "auth_permission" VALUES(21,6,'add_modeloverride','Can add model override');
INSERT INTO "auth_permission" VALUES(22,6,'change_modeloverride','Can change model override');
INSERT INTO "auth_permission" VALUES(23,6,'delete_modeloverride','Can delete model override');
INSERT INTO "auth_permission" VALUES(24,6,'view_modeloverride','Can view model override');
INSERT INTO "auth_permission" VALUES(25,7,'add_refusedparameter','Can add refused parameter');
INSERT INTO "auth_permission" VALUES(26,7,'change_refusedparameter','Can change refused parameter');
INSERT INTO "auth_permission" VALUES(27,7,'delete_refusedparameter','Can delete refused parameter');
INSERT INTO "auth_permission" VALUES(28,7,'view_refusedparameter','Can view refused parameter');
INSERT INTO "auth_permission" VALUES(29,8,'add_worker','Can add worker');
INSERT INTO "auth_permission" VALUES(30,8,'change_worker','Can change worker');
INSERT INTO "auth_permission" VALUES(31,8,'delete_worker','Can delete worker');
INSERT INTO "auth_permission" VALUES(32,8,'view_worker','Can view worker');
INSERT INTO "auth_permission" VALUES(33,9,'add_stream','Can add stream');
INSERT INTO "auth_permission" VALUES(34,9,'change_stream','Can change stream');
INSERT INTO "auth_permission" VALUES(35,9,'delete_stream','Can delete stream');
INSERT INTO "auth_permission" VALUES(36,9,'view_stream','Can view stream');
INSERT INTO "auth_permission" VALUES(37,10,'add_streamchunk','Can add stream chunk');
INSERT INTO "auth_permission" VALUES(38,10,'change_streamchunk','Can change stream chunk');
INSERT INTO "auth_permission" VALUES(39,10,'delete_streamchunk','Can delete stream chunk');
INSERT INTO "auth_permission" VALUES(40,10,'view_streamchunk','Can view stream chunk');
INSERT INTO "auth_permission" VALUES(41,11,'add_emailaddress','Can add email address');
INSERT INTO "auth_permission" VALUES(42,11,'change_emailaddress','Can change email address');
INSERT INTO "auth_permission" VALUES(43,11,'delete_emailaddress','Can delete email address');
INSERT INTO "auth_permission" VALUES(44,11,'view_emailaddress','Can view email address');
INSERT INTO "auth_permission" VALUES(45,12,'add_emailconfirmation','Can add email confirmation');
INSERT INTO "auth_permission" VALUES(46,12,'change_emailconfirmation','Can change email confirmation');
INSERT INTO "auth_permission" VALUES(47,12,'delete_emailconfirmation','Can delete email confirmation');
INSERT INTO "auth_permission" VALUES(48,12,'view_emailconfirmation','Can view email confirmation');
INSERT INTO "auth_permission" VALUES(49,13,'add_logentry','Can add log entry');
INSERT INTO "auth_permission" VALUES(50,13,'change_logentry','Can change log entry');
INSERT INTO "auth_permission" VALUES(51,13,'delete_logentry','Can delete log entry');
INSERT INTO "auth_permission" VALUES(52,13,'view_logentry','Can view log entry');
INSERT INTO "auth_permission" VALUES(53,14,'add_permission','Can add permission');
INSERT INTO "auth_permission" VALUES(54,14,'change_permission','Can change permission');
INSERT INTO "auth_permission" VALUES(55,14,'delete_permission','Can delete permission');
INSERT INTO "auth_permission" VALUES(56,14,'view_permission','Can view permission');
INSERT INTO "auth_permission" VALUES(57,15,'add_group','Can add group');
INSERT INTO "auth_permission" VALUES(58,15,'change_group','Can change group');
INSERT INTO "auth_permission" VALUES(59,15,'delete_group','Can delete group');
INSERT INTO "auth_permission" VALUES(60,15,'view_group','Can view group');
INSERT INTO "auth_permission" VALUES(61,16,'add_contenttype','Can add content type');
INSERT INTO "auth_permission" VALUES(62,16,'change_contenttype','Can change content type');
INSERT INTO "auth_permission" VALUES(63,16,'delete_contenttype','Can delete content type');
INSERT INTO "auth_permission" VALUES(64,16,'view_contenttype','Can view content type');
INSERT INTO "auth_permission" VALUES(65,17,'add_session','Can add session');
INSERT INTO "auth_permission" VALUES(66,17,'change_session','Can change session');
INSERT INTO "auth_permission" VALUES(67,17,'delete_session','Can delete session');
INSERT INTO "auth_permission" VALUES(68,17,'view_session','Can view session');
CREATE TABLE "chat_conversation" ("id" char(32) NOT NULL PRIMARY KEY, "title" varchar(200) NOT NULL, "status" varchar(10) NOT NULL, "model" varchar(100) NOT NULL, "max_tokens" integer unsigned NULL CHECK ("max_tokens" >= 0), "temperature" real NULL, "system_prompt" text NOT NULL, "pinned" bool NOT NULL, "read" bool NOT NULL, "created_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "updated_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "user_id" bigint NOT NULL REFERENCES "accounts_user" ("id") DEFERRABLE INITIALLY DEFERRED, "leaf_id" char(32) NULL REFERENCES "chat_message" ("id") DEFERRABLE INITIALLY DEFERRED, "reasoning_effort" varchar(20) NOT NULL, "deleted_at" datetime NULL, "named" bool NOT NULL, CONSTRAINT "conversation_known_status" CHECK ("status" IN ('idle', 'streaming', 'completed', 'error')));
INSERT INTO "chat_conversation" VALUES('50fad945845e40f995ee6009719a7d4d','Why do tides lag the moon? Be brief.','completed','demo-fast',NULL,NULL,'',1,1,'2026-11-28 07:50:34.521000','2026-11-28 07:50:35.819',1,'a0375609d64f44139e104cef2615b09e','',NULL,0);
INSERT INTO "chat_conversation" VALUES('5d07140634324fecae7ba46930084aa0','A quiet day','completed','demo-fast',NULL,NULL,'',0,1,'2026-11-28 07:50:35.863000','2026-11-28 07:50:36.211',1,'fc47e347fd9a489ca821883d920a6ee7','',NULL,1);
INSERT INTO "chat_conversation" VALUES('6befff8924a24b33b1c53f58d08289c3','Tell me all of it.','completed','demo',NULL,NULL,'',0,1,'2026-11-28 07:50:36.427000','2026-11-28 07:50:36.597',1,'49b3f2cee6a04d8d960fbf0a7d1e82d5','',NULL,0);
INSERT INTO "chat_conversation" VALUES('7143ba28e7df48e18247923ab10fb3e6','Be sober.','completed','gpt-4.1',NULL,0.3,'',0,0,'2026-11-28 07:50:36.705000','2026-11-28 07:50:36.873',1,'78d118864857449797102f552ac2603f','',NULL,0);
INSERT INTO "chat_conversation" VALUES('9c5bbe7e754d439791dabebad049d99d','Why is the tide late?','streaming','demo-fast',NULL,NULL,'',0,1,'2026-11-28 07:51:31.484000','2026-11-28 07:51:31.643',1,'01c7959ee89f498bade8595495f9922e','',NULL,0);
CREATE TABLE "chat_message" ("id" char(32) NOT NULL PRIMARY KEY, "role" varchar(9) NOT NULL, "content" text NOT NULL, "reasoning" text NOT NULL, "seams" text NOT NULL CHECK ((JSON_VALID("seams") OR "seams" IS NULL)), "is_complete" bool NOT NULL, "created_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "model" varchar(100) NOT NULL, "provider" varchar(50) NOT NULL, "input_tokens" integer unsigned NULL CHECK ("input_tokens" >= 0), "output_tokens" integer unsigned NULL CHECK ("output_tokens" >= 0), "reasoning_tokens" integer unsigned NULL CHECK ("reasoning_tokens" >= 0), "cost" decimal NULL, "finish_reason" varchar(30) NOT NULL, "conversation_id" char(32) NOT NULL REFERENCES "chat_conversation" ("id") DEFERRABLE INITIALLY DEFERRED, "stream_id" bigint NULL REFERENCES "streaming_stream" ("id") DEFERRABLE INITIALLY DEFERRED, "parent_id" char(32) NULL REFERENCES "chat_message" ("id") DEFERRABLE INITIALLY DEFERRED, "thought" integer unsigned NULL CHECK ("thought" >= 0), CONSTRAINT "message_known_role" CHECK ("role" IN ('user', 'assistant')));
INSERT INTO "chat_message" VALUES('6c1d7afe701141f9aa0a39d65ba2455b','user','Why do tides lag the moon? Be brief.','','[]',1,'2026-11-28 07:50:34.523','','',NULL,NULL,NULL,NULL,'','50fad945845e40f995ee6009719a7d4d',NULL,NULL,NULL);
INSERT INTO "chat_message" VALUES('bb9b7f73267e4e5ba4e071d5fafe6326','assistant','# Notes from the tide line 🌊

This is the demo model speaking. I know one subject well, and I will always say the same things about the same prompt. You wrote:

> Why do tides lag the moon? Be brief\.

Briefly, then. A holdfast is the part of kelp that grips the rock, and the reason the rest can afford to bend:

- the **tide** moves everything,
- the **blade** goes with it,
- the **holdfast** stays. ⚓

---

And so the water goes out again. Everything above is kept, whichever way you came to read it. 🌙','','[]',1,'2026-11-28 07:50:34.526000','demo-fast','demo',8,111,NULL,NULL,'stop','50fad945845e40f995ee6009719a7d4d',1,'6c1d7afe701141f9aa0a39d65ba2455b',NULL);
INSERT INTO "chat_message" VALUES('75f383bf66d64d7dad0f363fbc02b09a','user','In other words: why? Be brief.','','[]',1,'2026-11-28 07:50:35.023','','',NULL,NULL,NULL,NULL,'','50fad945845e40f995ee6009719a7d4d',NULL,NULL,NULL);
INSERT INTO "chat_message" VALUES('65eb2e160e5e44c5ac8298b37f4f4c29','assistant','# What the current brings

Nobody trained me; I was simply *written*. But I arrive piece by piece like any other reply, so you can see how one behaves. You asked:

> In other words\: why? Be brief\.

Briefly, then. A holdfast is the part of kelp that grips the rock, and the reason the rest can afford to bend:

- the **tide** moves everything,
- the **blade** goes with it,
- the **holdfast** stays. ⚓

---

That is all I know, and it ended where I meant it to. Ask me something else and I will begin somewhere else. 🐚','','[]',1,'2026-11-28 07:50:35.027000','demo-fast','demo',6,115,NULL,NULL,'stop','50fad945845e40f995ee6009719a7d4d',2,'75f383bf66d64d7dad0f363fbc02b09a',NULL);
INSERT INTO "chat_message" VALUES('a0375609d64f44139e104cef2615b09e','assistant','# Notes from the tide line 🌊

This is the demo model speaking. I know one subject well, and I will always say the same things about the same prompt. You wrote:

> Why do tides lag the moon? Be brief\.

Briefly, then. A holdfast is the part of kelp that grips the rock, and the reason the rest can afford to bend:

- the **tide** moves everything,
- the **blade** goes with it,
- the **holdfast** stays. ⚓

---

And so the water goes out again. Everything above is kept, whichever way you came to read it. 🌙','','[]',1,'2026-11-28 07:50:35.453000','demo-fast','demo',8,111,NULL,NULL,'stop','50fad945845e40f995ee6009719a7d4d',3,'6c1d7afe701141f9aa0a39d65ba2455b',NULL);
INSERT INTO "chat_message" VALUES('0c0e50dcb2cb49a4ac19722653a68bde','user','Plan a quiet day. Be brief.','','[]',1,'2026-11-28 07:50:35.864','','',NULL,NULL,NULL,NULL,'','5d07140634324fecae7ba46930084aa0',NULL,NULL,NULL);
INSERT INTO "chat_message" VALUES('fc47e347fd9a489ca821883d920a6ee7','assistant','# Notes from the tide line 🌊

This is the demo model speaking. I know one subject well, and I will always say the same things about the same prompt. You wrote:

> Plan a quiet day\. Be brief\.

Briefly, then. A holdfast is the part of kelp that grips the rock, and the reason the rest can afford to bend:

- the **tide** moves everything,
- the **blade** goes with it,
- the **holdfast** stays. ⚓

---

And so the water goes out again. Everything above is kept, whichever way you came to read it. 🌙','','[]',1,'2026-11-28 07:50:35.867000','demo-fast','demo',6,109,NULL,NULL,'stop','5d07140634324fecae7ba46930084aa0',4,'0c0e50dcb2cb49a4ac19722653a68bde',NULL);
INSERT INTO "chat_message" VALUES('fcda347c2e8c43d1a70dbaf9ef6e091d','user','Tell me all of it.','','[]',1,'2026-11-28 07:50:36.428','','',NULL,NULL,NULL,NULL,'','6befff8924a24b33b1c53f58d08289c3',NULL,NULL,NULL);
INSERT INTO "chat_message" VALUES('49b3f2cee6a04d8d960fbf0a7d1e82d5','assistant','#','','[]',0,'2026-11-28 07:50:36.430000','demo','demo',NULL,NULL,NULL,NULL,'','6befff8924a24b33b1c53f58d08289c3',5,'fcda347c2e8c43d1a70dbaf9ef6e091d',NULL);
INSERT INTO "chat_message" VALUES('dcf7a2c8fec74202985960a1d2dee382','user','Be sober.','','[]',1,'2026-11-28 07:50:36.706','','',NULL,NULL,NULL,NULL,'','7143ba28e7df48e18247923ab10fb3e6',NULL,NULL,NULL);
INSERT INTO "chat_message" VALUES('78d118864857449797102f552ac2603f','assistant','Without it.','','[]',1,'2026-11-28 07:50:36.709000','gpt-4.1','openai',11,7,0,NULL,'stop','7143ba28e7df48e18247923ab10fb3e6',6,'dcf7a2c8fec74202985960a1d2dee382',NULL);
INSERT INTO "chat_message" VALUES('3aca9c3243e1454bb619439a4945b56b','user','Why is the tide late?','','[]',1,'2026-11-28 07:51:31.485','','',NULL,NULL,NULL,NULL,'','9c5bbe7e754d439791dabebad049d99d',NULL,NULL,NULL);
INSERT INTO "chat_message" VALUES('b89fc67f832a4575837d7940f72246dd','assistant','','','[]',0,'2026-11-28 07:51:31.489','gpt-5.5','openai',NULL,NULL,NULL,NULL,'','9c5bbe7e754d439791dabebad049d99d',7,'3aca9c3243e1454bb619439a4945b56b',NULL);
INSERT INTO "chat_message" VALUES('4b18d7f7d9e04363a595e479cc7e7e91','user','And then? Be brief.','','[]',1,'2026-11-28 07:51:31.637','','',NULL,NULL,NULL,NULL,'','9c5bbe7e754d439791dabebad049d99d',NULL,'b89fc67f832a4575837d7940f72246dd',NULL);
INSERT INTO "chat_message" VALUES('01c7959ee89f498bade8595495f9922e','assistant','','','[]',0,'2026-11-28 07:51:31.642','demo-fast','demo',NULL,NULL,NULL,NULL,'','9c5bbe7e754d439791dabebad049d99d',8,'4b18d7f7d9e04363a595e479cc7e7e91',NULL);
CREATE TABLE "chat_modeloverride" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "model_id" varchar(100) NOT NULL UNIQUE, "provider" varchar(50) NOT NULL, "label" varchar(100) NOT NULL, "hidden" bool NOT NULL, "context_window" integer unsigned NULL CHECK ("context_window" >= 0), "max_output" integer unsigned NULL CHECK ("max_output" >= 0), "takes_temperature" bool NULL, "efforts" varchar(100) NOT NULL, "input_price" decimal NULL, "output_price" decimal NULL, CONSTRAINT "model_override_both_prices_or_none" CHECK ((("input_price" IS NULL AND "output_price" IS NULL) OR ("input_price" IS NOT NULL AND "output_price" IS NOT NULL))));
CREATE TABLE "chat_refusedparameter" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "endpoint" varchar(300) NOT NULL, "model_id" varchar(100) NOT NULL, "parameter" varchar(30) NOT NULL, "created_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, CONSTRAINT "refused_parameter_once" UNIQUE ("endpoint", "model_id", "parameter"));
INSERT INTO "chat_refusedparameter" VALUES(1,'openai http://127.0.0.1:37879/v1','gpt-4.1','temperature','2026-11-28 07:50:36.820');
CREATE TABLE "django_admin_log" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "object_id" text NULL, "object_repr" varchar(200) NOT NULL, "action_flag" smallint unsigned NOT NULL CHECK ("action_flag" >= 0), "change_message" text NOT NULL, "content_type_id" integer NULL REFERENCES "django_content_type" ("id") DEFERRABLE INITIALLY DEFERRED, "user_id" bigint NOT NULL REFERENCES "accounts_user" ("id") DEFERRABLE INITIALLY DEFERRED, "action_time" datetime NOT NULL);
CREATE TABLE "django_content_type" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "app_label" varchar(100) NOT NULL, "model" varchar(100) NOT NULL);
INSERT INTO "django_content_type" VALUES(1,'accounts','user');
INSERT INTO "django_content_type" VALUES(2,'accounts','apikey');
INSERT INTO "django_content_type" VALUES(3,'accounts','listedmodel');
INSERT INTO "django_content_type" VALUES(4,'chat','conversation');
INSERT INTO "django_content_type" VALUES(5,'chat','message');
INSERT INTO "django_content_type" VALUES(6,'chat','modeloverride');
INSERT INTO "django_content_type" VALUES(7,'chat','refusedparameter');
INSERT INTO "django_content_type" VALUES(8,'streaming','worker');
INSERT INTO "django_content_type" VALUES(9,'streaming','stream');
INSERT INTO "django_content_type" VALUES(10,'streaming','streamchunk');
INSERT INTO "django_content_type" VALUES(11,'account','emailaddress');
INSERT INTO "django_content_type" VALUES(12,'account','emailconfirmation');
INSERT INTO "django_content_type" VALUES(13,'admin','logentry');
INSERT INTO "django_content_type" VALUES(14,'auth','permission');
INSERT INTO "django_content_type" VALUES(15,'auth','group');
INSERT INTO "django_content_type" VALUES(16,'contenttypes','contenttype');
INSERT INTO "django_content_type" VALUES(17,'sessions','session');
CREATE TABLE "django_migrations" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "app" varchar(255) NOT NULL, "name" varchar(255) NOT NULL, "applied" datetime NOT NULL);
INSERT INTO "django_migrations" VALUES(1,'contenttypes','0001_initial','2026-11-28 07:50:27.993599');
INSERT INTO "django_migrations" VALUES(2,'contenttypes','0002_remove_content_type_name','2026-11-28 07:50:28.006516');
INSERT INTO "django_migrations" VALUES(3,'auth','0001_initial','2026-11-28 07:50:28.030172');
INSERT INTO "django_migrations" VALUES(4,'auth','0002_alter_permission_name_max_length','2026-11-28 07:50:28.043975');
INSERT INTO "django_migrations" VALUES(5,'auth','0003_alter_user_email_max_length','2026-11-28 07:50:28.056582');
INSERT INTO "django_migrations" VALUES(6,'auth','0004_alter_user_username_opts','2026-11-28 07:50:28.068963');
INSERT INTO "django_migrations" VALUES(7,'auth','0005_alter_user_last_login_null','2026-11-28 07:50:28.079769');
INSERT INTO "django_migrations" VALUES(8,'auth','0006_require_contenttypes_0002','2026-11-28 07:50:28.082760');
INSERT INTO "django_migrations" VALUES(9,'auth','0007_alter_validators_add_error_messages','2026-11-28 07:50:28.092925');
INSERT INTO "django_migrations" VALUES(10,'auth','0008_alter_user_username_max_length','2026-11-28 07:50:28.106158');
INSERT INTO "django_migrations" VALUES(11,'auth','0009_alter_user_last_name_max_length','2026-11-28 07:50:28.117700');
INSERT INTO "django_migrations" VALUES(12,'auth','0010_alter_group_name_max_length','2026-11-28 07:50:28.130423');
INSERT INTO "django_migrations" VALUES(13,'auth','0011_update_proxy_permissions','2026-11-28 07:50:28.144159');
INSERT INTO "django_migrations" VALUES(14,'auth','0012_alter_user_first_name_max_length','2026-11-28 07:50:28.260883');
INSERT INTO "django_migrations" VALUES(15,'accounts','0001_initial','2026-11-28 07:50:28.332037');
INSERT INTO "django_migrations" VALUES(16,'account','0001_initial','2026-11-28 07:50:28.371673');
INSERT INTO "django_migrations" VALUES(17,'account','0002_email_max_length','2026-11-28 07:50:28.394832');
INSERT INTO "django_migrations" VALUES(18,'account','0003_alter_emailaddress_create_unique_verified_email','2026-11-28 07:50:28.432084');
INSERT INTO "django_migrations" VALUES(19,'account','0004_alter_emailaddress_drop_unique_email','2026-11-28 07:50:28.456848');
INSERT INTO "django_migrations" VALUES(20,'account','0005_emailaddress_idx_upper_email','2026-11-28 07:50:28.476768');
INSERT INTO "django_migrations" VALUES(21,'account','0006_emailaddress_lower','2026-11-28 07:50:28.501330');
INSERT INTO "django_migrations" VALUES(22,'account','0007_emailaddress_idx_email','2026-11-28 07:50:28.537401');
INSERT INTO "django_migrations" VALUES(23,'account','0008_emailaddress_unique_primary_email_fixup','2026-11-28 07:50:28.567556');
INSERT INTO "django_migrations" VALUES(24,'account','0009_emailaddress_unique_primary_email','2026-11-28 07:50:28.589024');
INSERT INTO "django_migrations" VALUES(25,'accounts','0002_cache_table','2026-11-28 07:50:28.608777');
INSERT INTO "django_migrations" VALUES(26,'accounts','0003_checked_keys','2026-11-28 07:50:28.645707');
INSERT INTO "django_migrations" VALUES(27,'accounts','0004_background_replies','2026-11-28 07:50:28.661255');
INSERT INTO "django_migrations" VALUES(28,'admin','0001_initial','2026-11-28 07:50:28.678924');
INSERT INTO "django_migrations" VALUES(29,'admin','0002_logentry_remove_auto_add','2026-11-28 07:50:28.697650');
INSERT INTO "django_migrations" VALUES(30,'admin','0003_logentry_add_action_flag_choices','2026-11-28 07:50:28.710329');
INSERT INTO "django_migrations" VALUES(31,'streaming','0001_initial','2026-11-28 07:50:28.901868');
INSERT INTO "django_migrations" VALUES(32,'chat','0001_initial','2026-11-28 07:50:29.067596');
INSERT INTO "django_migrations" VALUES(33,'chat','0002_models_on_offer','2026-11-28 07:50:29.108579');
INSERT INTO "django_migrations" VALUES(34,'chat','0003_listed','2026-11-28 07:50:29.189449');
INSERT INTO "django_migrations" VALUES(35,'chat','0004_thought','2026-11-28 07:50:29.203907');
INSERT INTO "django_migrations" VALUES(36,'sessions','0001_initial','2026-11-28 07:50:29.208792');
INSERT INTO "django_migrations" VALUES(37,'streaming','0002_room_for_updates','2026-11-28 07:50:29.229202');
CREATE TABLE "django_session" ("session_key" varchar(40) NOT NULL PRIMARY KEY, "session_data" text NOT NULL, "expire_date" datetime NOT NULL);
INSERT INTO "django_session" VALUES('mz0i9n8gogizxgt2c8fw6vdipotrvb18','.eJxVjMEOgyAQRP9lz43BKore6o-QXXaJpBQThV6a_nu18eJx3sy8D6BzS0nZvmUNPghbeWGIMKYS4w0sljzbsslqA8MINVwYoXtKOgqM8cDVqav-m7PeqseeJOXgMIclTefroppxm3eP7hSj0tz2RimPqHvnWIzzWsRQ49XdNGTqvhbBBnFoh04RaSb2jEIE3x-dQklM:1xXDCa:ftoaytjn9z_pcustkDcG00w9vkwSW4Fi_h8dV-spDa4','2026-12-12 07:50:32.011888');
INSERT INTO "django_session" VALUES('a05gk20it9uazhfjkwe190i05lx37mws','.eJxVjMsOgyAURP-FdWMu8lJ37Y-QC1wiKcVEoZum_15t3LicMzPnw9D7pZVq37SmmChYemHKbCot5xuz2Ops20arTYFNrGcX5tA_qRwF5nzg7tR1_81Zb919T1Rq8ljTUh7n66KacZt3zwgSUDuQfUAx-ijQeQDDDSkdPBruQGnSA8QBeJRKKRkGHg3t3IhesO8Pc7JHBw:1xXDCa:RIhBX9mnX8cz5rYa0KOD1VZolDQ1jD-gimNRtV2n0Oc','2026-12-12 07:50:32.585923');
CREATE TABLE "holdfast_cache" (
    "cache_key" varchar(255) NOT NULL PRIMARY KEY,
    "value" text NOT NULL,
    "expires" datetime NOT NULL
);
INSERT INTO "holdfast_cache" VALUES(':1:allauth:rl:allauth.account:signup:20/60/ip:ip:127.1.0.2','gAWVDQAAAAAAAABdlEdB2sKh8eDemmEu','2026-11-28 07:51:31');
INSERT INTO "holdfast_cache" VALUES(':1:allauth:rl:allauth.account:signup:20/60/ip:ip:127.1.0.3','gAWVDQAAAAAAAABdlEdB2sKh8gwxpmEu','2026-11-28 07:51:32');
CREATE TABLE "streaming_stream" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "uuid" char(32) NOT NULL UNIQUE, "request_id" char(32) NOT NULL, "source" varchar(50) NOT NULL, "arguments" text NOT NULL CHECK ((JSON_VALID("arguments") OR "arguments" IS NULL)), "lane" varchar(64) NOT NULL, "state" varchar(12) NOT NULL, "epoch" integer unsigned NOT NULL CHECK ("epoch" >= 0), "attempts" smallint unsigned NOT NULL CHECK ("attempts" >= 0), "next_index" integer unsigned NOT NULL CHECK ("next_index" >= 0), "length" integer unsigned NOT NULL CHECK ("length" >= 0), "note" varchar(200) NOT NULL, "error_class" varchar(50) NOT NULL, "error" text NOT NULL, "error_detail" text NOT NULL, "finish_reason" varchar(30) NOT NULL, "usage" text NOT NULL CHECK ((JSON_VALID("usage") OR "usage" IS NULL)), "upstream_id" varchar(200) NOT NULL, "upstream_cursor" varchar(200) NOT NULL, "created_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "claimed_at" datetime NULL, "first_chunk_at" datetime NULL, "last_chunk_at" datetime NULL, "ended_at" datetime NULL, "folded_at" datetime NULL, "owner_id" bigint NOT NULL REFERENCES "accounts_user" ("id") DEFERRABLE INITIALLY DEFERRED, "worker_id" char(32) NULL REFERENCES "streaming_worker" ("id") DEFERRABLE INITIALLY DEFERRED, "continues_id" bigint NULL REFERENCES "streaming_stream" ("id") DEFERRABLE INITIALLY DEFERRED, CONSTRAINT "stream_once_per_request" UNIQUE ("owner_id", "request_id"), CONSTRAINT "stream_known_state" CHECK ("state" IN ('queued', 'running', 'completed', 'stopped', 'failed', 'interrupted')), CONSTRAINT "stream_ended_or_not" CHECK ((("ended_at" IS NULL AND "state" IN ('queued', 'running')) OR (NOT ("state" IN ('queued', 'running')) AND "ended_at" IS NOT NULL))));
INSERT INTO "streaming_stream" VALUES(1,'7338053d2a4043f589a0a1e741b00b17','075e6e15cb044d6c95c15e94e6867b46','chat','{"message": "bb9b7f73-267e-4e5b-a4e0-71d5fafe6326", "model": "demo-fast", "max_tokens": null, "temperature": null, "system_prompt": "", "reasoning_effort": "", "context": {"turns": 1, "left_out": 0, "refers_back": false, "tokens": 16, "reserve": 8192, "window": 0}}','50fad945-845e-40f9-95ee-6009719a7d4d','completed',1,0,42,506,'','','','','stop','{"input": 8, "output": 111}','','','2026-11-28 07:50:34.525','2026-11-28 07:50:34.552','2026-11-28 07:50:34.601','2026-11-28 07:50:34.880','2026-11-28 07:50:34.883','2026-11-28 07:51:31.419',1,'3c3bbc6689ee4d4aa221d9300274b7ea',NULL);
INSERT INTO "streaming_stream" VALUES(2,'afca659a6e0449ca80d0f0eb3558eb9c','958d3e77ebaf45f8a9d080ac97af78c5','chat','{"message": "65eb2e16-0e5e-44c5-ac82-98b37f4f4c29", "model": "demo-fast", "max_tokens": null, "temperature": null, "system_prompt": "", "reasoning_effort": "", "context": {"turns": 1, "left_out": 0, "refers_back": false, "tokens": 14, "reserve": 8192, "window": 0}}','50fad945-845e-40f9-95ee-6009719a7d4d','completed',1,0,49,519,'','','','','stop','{"input": 6, "output": 115}','','','2026-11-28 07:50:35.026','2026-11-28 07:50:35.053','2026-11-28 07:50:35.087','2026-11-28 07:50:35.373','2026-11-28 07:50:35.375','2026-11-28 07:51:31.424',1,'3c3bbc6689ee4d4aa221d9300274b7ea',NULL);
INSERT INTO "streaming_stream" VALUES(3,'bb4671eb9a914271996bdcba2dcd67bb','bd2ede2169634ad7818f54b3645d5c10','chat','{"message": "a0375609-d64f-4413-9e10-4cef2615b09e", "model": "demo-fast", "max_tokens": null, "temperature": null, "system_prompt": "", "reasoning_effort": "", "context": {"turns": 1, "left_out": 0, "refers_back": false, "tokens": 16, "reserve": 8192, "window": 0}}','50fad945-845e-40f9-95ee-6009719a7d4d','completed',1,0,48,506,'','','','','stop','{"input": 8, "output": 111}','','','2026-11-28 07:50:35.452','2026-11-28 07:50:35.483','2026-11-28 07:50:35.535','2026-11-28 07:50:35.807','2026-11-28 07:50:35.808','2026-11-28 07:51:31.430',1,'3c3bbc6689ee4d4aa221d9300274b7ea',NULL);
INSERT INTO "streaming_stream" VALUES(4,'cd7342e52a594ba7b0e48fa9b0d53ba5','e6746e1d9f40413986e1aea0bde70c49','chat','{"message": "fc47e347-fd9a-489c-a821-883d920a6ee7", "model": "demo-fast", "max_tokens": null, "temperature": null, "system_prompt": "", "reasoning_effort": "", "context": {"turns": 1, "left_out": 0, "refers_back": false, "tokens": 13, "reserve": 8192, "window": 0}}','5d071406-3432-4fec-ae7b-a46930084aa0','completed',1,0,54,498,'','','','','stop','{"input": 6, "output": 109}','','','2026-11-28 07:50:35.866','2026-11-28 07:50:35.888','2026-11-28 07:50:35.923','2026-11-28 07:50:36.195','2026-11-28 07:50:36.196','2026-11-28 07:51:31.435',1,'3c3bbc6689ee4d4aa221d9300274b7ea',NULL);
INSERT INTO "streaming_stream" VALUES(5,'8167a0fff88b49e89c8282d6a7e9e50e','5c3f1e2bf02149ef88cbbf76a068ace2','chat','{"message": "49b3f2ce-e6a0-4d8d-960f-bf0a7d1e82d5", "model": "demo", "max_tokens": null, "temperature": null, "system_prompt": "", "reasoning_effort": "", "context": {"turns": 1, "left_out": 0, "refers_back": false, "tokens": 10, "reserve": 8192, "window": 0}}','6befff89-24a2-4b33-b1c5-3f58d08289c3','stopped',1,0,1,1,'','','','','','{}','','','2026-11-28 07:50:36.430','2026-11-28 07:50:36.449','2026-11-28 07:50:36.567','2026-11-28 07:50:36.567','2026-11-28 07:50:36.591','2026-11-28 07:51:31.445',1,'3c3bbc6689ee4d4aa221d9300274b7ea',NULL);
INSERT INTO "streaming_stream" VALUES(6,'07dc98871a7c46e4a5091bf3bef295c8','7f23343bea0845f89734ada869748d04','chat','{"message": "78d11886-4857-4497-9710-2f552ac2603f", "model": "gpt-4.1", "max_tokens": null, "temperature": 0.3, "system_prompt": "", "reasoning_effort": "", "context": {"turns": 1, "left_out": 0, "refers_back": false, "tokens": 7, "reserve": 8192, "window": 1000000}}','7143ba28-e7df-48e1-8247-923ab10fb3e6','completed',1,0,1,11,'','','','','stop','{"input": 11, "output": 7, "reasoning": 0, "cached": 0}','req_fake','','2026-11-28 07:50:36.708','2026-11-28 07:50:36.732','2026-11-28 07:50:36.852','2026-11-28 07:50:36.852','2026-11-28 07:50:36.859','2026-11-28 07:51:31.455',1,'3c3bbc6689ee4d4aa221d9300274b7ea',NULL);
INSERT INTO "streaming_stream" VALUES(7,'6c6e1bd11a1c419c8e29366da886c70a','4b1e6787df3e418c9bba8301a59974e7','chat','{"message": "b89fc67f-832a-4575-837d-7940f72246dd", "model": "gpt-5.5", "max_tokens": null, "temperature": null, "system_prompt": "", "reasoning_effort": "", "context": {"turns": 1, "left_out": 0, "refers_back": false, "tokens": 11, "reserve": 8192, "window": 1000000}}','9c5bbe7e-754d-4397-91da-bebad049d99d','running',1,0,1,58,'','','','','','{}','','','2026-11-28 07:51:31.488','2026-11-28 07:51:31.514','2026-11-28 07:51:31.599','2026-11-28 07:51:31.599',NULL,NULL,1,'3c3bbc6689ee4d4aa221d9300274b7ea',NULL);
INSERT INTO "streaming_stream" VALUES(8,'1e14ab22190f4104ab488d290e7f12fb','b0d8efbb1a364676b22a0da78b6e3ff0','chat','{"message": "01c7959e-e89f-498b-ade8-595495f9922e", "model": "demo-fast", "max_tokens": null, "temperature": null, "system_prompt": "", "reasoning_effort": ""}','9c5bbe7e-754d-4397-91da-bebad049d99d','queued',0,0,0,0,'Waiting for the reply before this one','','','','','{}','','','2026-11-28 07:51:31.641',NULL,NULL,NULL,NULL,NULL,1,NULL,NULL);
CREATE TABLE "streaming_streamchunk" ("stream_id" bigint NOT NULL, "index" integer unsigned NOT NULL CHECK ("index" >= 0), "offset" integer unsigned NOT NULL CHECK ("offset" >= 0), "created_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "kind" smallint unsigned NOT NULL CHECK ("kind" >= 0), "delta" text NOT NULL, PRIMARY KEY ("stream_id", "index"));
INSERT INTO "streaming_streamchunk" VALUES(7,0,0,'2026-11-28 07:51:31.599',0,'High tide comes hours after the moon has passed overhead, ');
CREATE TABLE "streaming_worker" ("id" char(32) NOT NULL PRIMARY KEY, "name" varchar(100) NOT NULL, "started_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "lease_until" datetime NOT NULL, "draining" bool NOT NULL);
INSERT INTO "streaming_worker" VALUES('3c3bbc6689ee4d4aa221d9300274b7ea','vm 10381','2026-11-28 07:50:31.252','2026-11-28 07:51:43.498000',0);
CREATE UNIQUE INDEX "django_content_type_app_label_model_76bd3d3b_uniq" ON "django_content_type" ("app_label", "model");
CREATE UNIQUE INDEX "auth_group_permissions_group_id_permission_id_0cd325b0_uniq" ON "auth_group_permissions" ("group_id", "permission_id");
CREATE INDEX "auth_group_permissions_group_id_b120cbf9" ON "auth_group_permissions" ("group_id");
CREATE INDEX "auth_group_permissions_permission_id_84c5c92e" ON "auth_group_permissions" ("permission_id");
CREATE UNIQUE INDEX "auth_permission_content_type_id_codename_01ab375a_uniq" ON "auth_permission" ("content_type_id", "codename");
CREATE INDEX "auth_permission_content_type_id_2f476e4b" ON "auth_permission" ("content_type_id");
CREATE UNIQUE INDEX "accounts_user_groups_user_id_group_id_59c0b32f_uniq" ON "accounts_user_groups" ("user_id", "group_id");
CREATE INDEX "accounts_user_groups_user_id_52b62117" ON "accounts_user_groups" ("user_id");
CREATE INDEX "accounts_user_groups_group_id_bd11a704" ON "accounts_user_groups" ("group_id");
CREATE UNIQUE INDEX "accounts_user_user_permissions_user_id_permission_id_2ab516c2_uniq" ON "accounts_user_user_permissions" ("user_id", "permission_id");
CREATE INDEX "accounts_user_user_permissions_user_id_e4f0a161" ON "accounts_user_user_permissions" ("user_id");
CREATE INDEX "accounts_user_user_permissions_permission_id_113bb443" ON "accounts_user_user_permissions" ("permission_id");
CREATE INDEX "accounts_apikey_user_id_bd902026" ON "accounts_apikey" ("user_id");
CREATE INDEX "account_emailconfirmation_email_address_id_5b7f8c58" ON "account_emailconfirmation" ("email_address_id");
CREATE UNIQUE INDEX "account_emailaddress_user_id_email_987c8728_uniq" ON "account_emailaddress" ("user_id", "email");
CREATE UNIQUE INDEX "unique_verified_email" ON "account_emailaddress" ("email") WHERE "verified";
CREATE INDEX "account_emailaddress_user_id_2c513194" ON "account_emailaddress" ("user_id");
CREATE INDEX "account_emailaddress_email_03be32b2" ON "account_emailaddress" ("email");
CREATE UNIQUE INDEX "unique_primary_email" ON "account_emailaddress" ("user_id", "primary") WHERE "primary";
CREATE INDEX "holdfast_cache_expires" ON "holdfast_cache" ("expires");
CREATE INDEX "accounts_listedmodel_key_id_297dbbfa" ON "accounts_listedmodel" ("key_id");
CREATE INDEX "django_admin_log_content_type_id_c4bce8eb" ON "django_admin_log" ("content_type_id");
CREATE INDEX "django_admin_log_user_id_c564eba6" ON "django_admin_log" ("user_id");
CREATE INDEX "streaming_worker_lease_until_1491741a" ON "streaming_worker" ("lease_until");
CREATE INDEX "streaming_stream_owner_id_9d23e19f" ON "streaming_stream" ("owner_id");
CREATE INDEX "streaming_stream_worker_id_977f3c60" ON "streaming_stream" ("worker_id");
CREATE INDEX "streaming_stream_continues_id_61a5baeb" ON "streaming_stream" ("continues_id");
CREATE INDEX "stream_unfinished" ON "streaming_stream" ("id") WHERE "ended_at" IS NULL;
CREATE INDEX "stream_lane" ON "streaming_stream" ("lane", "id") WHERE "ended_at" IS NULL;
CREATE INDEX "stream_foldable" ON "streaming_stream" ("ended_at") WHERE "folded_at" IS NULL;
CREATE INDEX "chat_message_conversation_id_a1207bf4" ON "chat_message" ("conversation_id");
CREATE INDEX "chat_message_stream_id_a0681016" ON "chat_message" ("stream_id");
CREATE INDEX "chat_message_parent_id_d93c704f" ON "chat_message" ("parent_id");
CREATE INDEX "chat_conversation_user_id_15357b84" ON "chat_conversation" ("user_id");
CREATE INDEX "chat_conversation_leaf_id_c8407b41" ON "chat_conversation" ("leaf_id");
CREATE INDEX "conversation_newest" ON "chat_conversation" ("user_id", "updated_at" DESC);
CREATE INDEX "conversation_status" ON "chat_conversation" ("status");
CREATE INDEX "conversation_deleted" ON "chat_conversation" ("deleted_at") WHERE "deleted_at" IS NOT NULL;
CREATE INDEX "django_session_expire_date_a5c62663" ON "django_session" ("expire_date");
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('django_migrations',37);
INSERT INTO "sqlite_sequence" VALUES('django_content_type',17);
INSERT INTO "sqlite_sequence" VALUES('auth_permission',68);
INSERT INTO "sqlite_sequence" VALUES('auth_group',0);
INSERT INTO "sqlite_sequence" VALUES('accounts_apikey',1);
INSERT INTO "sqlite_sequence" VALUES('account_emailaddress',2);
INSERT INTO "sqlite_sequence" VALUES('accounts_user',2);
INSERT INTO "sqlite_sequence" VALUES('django_admin_log',0);
INSERT INTO "sqlite_sequence" VALUES('streaming_stream',8);
INSERT INTO "sqlite_sequence" VALUES('accounts_listedmodel',4);
INSERT INTO "sqlite_sequence" VALUES('chat_refusedparameter',1);
COMMIT;
