// The SQL side of Databricks identities: `CREATE EXTENSION databricks_auth` and what it brings.
import { superuserGroup } from './names.ts';

const control = `comment = 'Postgres roles for Databricks identities'
default_version = '1.0'
relocatable = false
superuser = true
trusted = true
`;

// The comment on a role is how the control plane tells it from one made by a plain CREATE ROLE, which no token opens.
const script = `\\echo Use "CREATE EXTENSION databricks_auth" to load this file. \\quit

CREATE FUNCTION databricks_create_role(identity_name text, identity_type text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
  IF identity_name IS NULL OR identity_name = '' THEN
    RAISE EXCEPTION 'identity name must not be empty' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF identity_type IS NULL OR upper(identity_type) NOT IN ('USER', 'SERVICE_PRINCIPAL', 'GROUP') THEN
    RAISE EXCEPTION 'identity type must be USER, SERVICE_PRINCIPAL or GROUP' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  EXECUTE format('CREATE ROLE %I LOGIN', identity_name);
  EXECUTE format('COMMENT ON ROLE %I IS %L', identity_name, 'databricks identity: ' || upper(identity_type));
END
$function$;

REVOKE EXECUTE ON FUNCTION databricks_create_role(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION databricks_create_role(text, text) TO ${superuserGroup};
`;

/** File name to contents, for the folder where PostgreSQL keeps its extensions. */
export const extensionFiles: Readonly<Record<string, string>> = {
  'databricks_auth.control': control,
  'databricks_auth--1.0.sql': script,
};

/** What the comment of a role made by `databricks_create_role` begins with. */
export const identityMark = 'databricks identity: ';
